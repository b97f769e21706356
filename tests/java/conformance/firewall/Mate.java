package conformance.firewall;

import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.ISOException;

/** Another applet of the package: writes into the first one's array. */
public final class Mate extends Applet {
    static byte[] shared;

    private Mate() {}

    public static void install(byte[] array, short offset, byte length) {
        new Mate().register(array, (short) (offset + 1), array[offset]);
    }

    public void process(APDU apdu) {
        if (selectingApplet()) {
            return;
        }
        if (shared[1] != 4) {
            ISOException.throwIt((short) 0x6B01);
        }
    }
}
