package demo;

import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.Util;

/** INS 01 gives the data back, 02 stores it, 03 refuses, 04 breaks. */
public class Echo extends Applet {
    private final byte[] store;
    private byte[] missing;

    private Echo() {
        store = new byte[64];
        register();
    }

    public static void install(byte[] parameters, short offset, byte length) {
        new Echo();
    }

    public void process(APDU apdu) {
        if (selectingApplet()) {
            return;
        }
        byte[] buffer = apdu.getBuffer();
        short length = apdu.setIncomingAndReceive();
        switch (buffer[ISO7816.OFFSET_INS]) {
            case 1:
                apdu.setOutgoingAndSend(ISO7816.OFFSET_CDATA, length);
                break;
            case 2:
                keep(buffer, length);
                break;
            case 3:
                refuse();
                break;
            case 4:
                missing[0] = 1;
                break;
            default:
                ISOException.throwIt(ISO7816.SW_INS_NOT_SUPPORTED);
        }
    }

    private void keep(byte[] buffer, short length) {
        short sum = 0;
        for (short i = 0; i < length; i++) {
            sum += buffer[(short) (ISO7816.OFFSET_CDATA + i)];
        }
        Util.arrayCopy(buffer, ISO7816.OFFSET_CDATA, store, (short) 0, length);
        store[63] = (byte) sum;
    }

    private static void refuse() {
        ISOException.throwIt(ISO7816.SW_WRONG_DATA);
    }
}
