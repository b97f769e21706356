package conformance.shared;

import javacard.framework.Shareable;

/** What the server shares. */
public interface Service extends Shareable {
    short add(short a, short b);

    /** Reads the first byte of an array. */
    byte peek(byte[] array);

    /** Throws an ISOException, or (0) something else. */
    void fail(short reason);

    /** The AID of who called, its length first, into a global array. */
    void caller(byte[] array);

    /** An array of the server's. */
    byte[] secret();

    /** An object of the server's that is not to be shared. */
    Hidden plain();

    /** Calls back. */
    short back(Service other, short value);

    /** Keeps an object, or tries to. True if it was possible. */
    boolean keep(Object object);
}
