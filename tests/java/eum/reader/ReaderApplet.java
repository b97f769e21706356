package eum.reader;

import eum.es10.EumBinding;
import eum.es10.EumPort;
import ipae.es10.Es10Port;
import javacard.framework.AID;
import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;
import uicc.system.UICCPlatform;

/** Reads the EID through the EUM's own port: 80 60 00 00 10. */
public final class ReaderApplet extends Applet {
    private static final byte[] ISD_R = {
        (byte) 0xA0, 0, 0, 5, 0x59, 0x10, 0x10, -1, -1, -1, -1, (byte) 0x89, 0, 0, 1, 0
    };
    private static final byte[] GET_EID = {(byte) 0xBF, 0x3E, 3, 0x5C, 1, 0x5A};
    private static final byte INS_READ_EID = 0x60;
    private static final short EID_LENGTH = 16;
    /** BF3E 12 5A 10, then the EID. */
    private static final short EID_OFFSET = 5;

    private final EumPort port;

    private ReaderApplet(byte[] parameters, short offset) {
        AID isdR = JCSystem.lookupAID(ISD_R, (short) 0, (byte) ISD_R.length);
        if (isdR == null) {
            ISOException.throwIt(ISO7816.SW_CONDITIONS_NOT_SATISFIED);
        }
        port = new EumBinding((Es10Port) JCSystem.getAppletShareableInterfaceObject(isdR, (byte) 0));
        register(parameters, (short) (offset + 1), parameters[offset]);
    }

    public static void install(byte[] parameters, short offset, byte length) {
        new ReaderApplet(parameters, offset);
    }

    public void process(APDU apdu) {
        if (selectingApplet()) {
            return;
        }
        byte[] buffer = apdu.getBuffer();
        if (buffer[ISO7816.OFFSET_INS] != INS_READ_EID) {
            ISOException.throwIt(ISO7816.SW_INS_NOT_SUPPORTED);
        }
        byte[] window = UICCPlatform.getTheVolatileByteArray();
        Util.arrayCopyNonAtomic(GET_EID, (short) 0, window, (short) 0, (short) GET_EID.length);
        short status = port.transmit((short) GET_EID.length);
        if ((byte) (status >> 8) != 0x61) {
            ISOException.throwIt(status);
        }
        if (port.receive((short) 255) != (short) (EID_OFFSET + EID_LENGTH)) {
            ISOException.throwIt(ISO7816.SW_UNKNOWN);
        }
        Util.arrayCopyNonAtomic(window, EID_OFFSET, buffer, (short) 0, EID_LENGTH);
        apdu.setOutgoingAndSend((short) 0, EID_LENGTH);
    }
}
