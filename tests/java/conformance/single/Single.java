package conformance.single;

import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.ISO7816;
import javacard.framework.ISOException;

/** An applet that can be selected on one channel at a time; refuses selection when told to. */
public final class Single extends Applet {
    private byte selects;
    private byte deselects;
    private boolean refuses;

    private Single() {}

    public static void install(byte[] array, short offset, byte length) {
        new Single().register(array, (short) (offset + 1), array[offset]);
    }

    public boolean select() {
        selects++;
        return !refuses;
    }

    public void deselect() {
        deselects++;
        if (refuses) {
            ISOException.throwIt(ISO7816.SW_UNKNOWN);
        }
    }

    public void process(APDU apdu) {
        byte[] buffer = apdu.getBuffer();
        if (selectingApplet()) {
            if (buffer[ISO7816.OFFSET_P2] == 0) {
                buffer[0] = (byte) 0x6F;
                buffer[1] = (byte) 0;
                apdu.setOutgoingAndSend((short) 0, (short) 2);
            }
            return;
        }
        switch (buffer[ISO7816.OFFSET_INS]) {
            case 0x20:
                buffer[0] = selects;
                buffer[1] = deselects;
                apdu.setOutgoingAndSend((short) 0, (short) 2);
                return;
            case 0x21:
                refuses = buffer[ISO7816.OFFSET_P1] == 1;
                return;
            default:
                ISOException.throwIt(ISO7816.SW_INS_NOT_SUPPORTED);
        }
    }
}
