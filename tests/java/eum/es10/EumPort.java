package eum.es10;

import javacard.framework.Shareable;

/**
 * The way to the eUICC that this EUM's cards offer to applets. Commands and responses stand in
 * UICCPlatform.getTheVolatileByteArray() from offset 0.
 */
public interface EumPort extends Shareable {
    /** Executes the ES10 command of so many bytes; gives the status word. */
    short transmit(short length);

    /** Gives the next bytes of the response, at most so many; their number, 0 at the end. */
    short receive(short max);
}
