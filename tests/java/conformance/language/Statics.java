package conformance.language;

/** Static fields of every kind with initial values. */
final class Statics {
    static byte small = (byte) -5;
    static short large = (short) 0x1234;
    static boolean flag = true;
    static byte[] bytes = {1, 2, (byte) 0x83};
    static short[] shorts = {(short) 0x1122, (short) -1};
    static boolean[] flags = {true, false, true};
    static Object nothing;
    static final byte[] SHARED = {9};

    private Statics() {}
}
