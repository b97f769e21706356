package conformance.shared;

/** A class whose methods are not shared. */
public class Hidden {
    public static short open;
    /** The server puts an array of its own here. */
    public static byte[] array;

    public short value;

    public Hidden() {
        value = (short) 5;
    }

    public short get() {
        return value;
    }
}
