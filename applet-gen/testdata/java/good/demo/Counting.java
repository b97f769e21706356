package demo;

import javacard.framework.Shareable;

public interface Counting extends Shareable {
    short count(short by);
}
