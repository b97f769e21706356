package conformance.channels;

import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.AppletEvent;
import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.MultiSelectable;
import javacard.framework.SystemException;

/**
 * Selection on several channels, installation and deletion. 80 20 answers what happened: select() and deselect()
 * called by the runtime's two ways, their last argument, whether process() saw the SELECT, channel, transient byte.
 */
public final class Multi extends Applet implements MultiSelectable, AppletEvent {
    private static short uninstalled;

    private byte selects;
    private byte deselects;
    private byte multiSelects;
    private byte multiDeselects;
    private byte already;
    private byte processed;
    private byte[] fleeting;
    private byte[] parameters;

    private Multi(byte[] array, short offset, byte length) {
        fleeting = JCSystem.makeTransientByteArray((short) 1, JCSystem.CLEAR_ON_DESELECT);
        parameters = new byte[length];
        for (short i = (short) 0; i < length; i++) {
            parameters[i] = array[(short) (offset + i)];
        }
    }

    /** The application data's first byte says how the installation goes. */
    public static void install(byte[] array, short offset, byte length) {
        short privileges = (short) (offset + 1 + array[offset]);
        short data = (short) (privileges + 1 + array[privileges]);
        byte way = array[data] == 0 ? (byte) 0 : array[(short) (data + 1)];
        Multi made = new Multi(array, offset, length);
        switch (way) {
            case 1:
                return;
            case 2:
                ISOException.throwIt((short) 0x6A88);
            case 3:
                byte[] none = null;
                none[0] = (byte) 1;
            case 4:
                made.register(array, (short) (offset + 1), array[offset]);
                try {
                    made.register();
                } catch (SystemException e) {
                    ISOException.throwIt((short) (0x6B00 + e.getReason()));
                }
            case 5:
                made.register(array, (short) (offset + 1), array[offset]);
                ISOException.throwIt((short) 0x6A89);
            case 6:
                JCSystem.beginTransaction();
                made.register(array, (short) (offset + 1), array[offset]);
                return;
            case 7:
                made.register();
                return;
            default:
                made.register(array, (short) (offset + 1), array[offset]);
        }
    }

    public boolean select() {
        selects++;
        return parameters.length == 0 || parameters[(short) (parameters.length - 1)] != (byte) 0x99;
    }

    public void deselect() {
        deselects++;
    }

    public boolean select(boolean appInstAlreadyActive) {
        multiSelects++;
        already = appInstAlreadyActive ? (byte) 1 : (byte) 0;
        return true;
    }

    public void deselect(boolean appInstStillActive) {
        multiDeselects++;
        already = appInstStillActive ? (byte) 1 : (byte) 0;
    }

    public void uninstall() {
        uninstalled++;
    }

    public void process(APDU apdu) {
        byte[] buffer = apdu.getBuffer();
        if (selectingApplet()) {
            processed++;
            return;
        }
        switch (buffer[ISO7816.OFFSET_INS]) {
            case 0x20:
                buffer[0] = selects;
                buffer[1] = deselects;
                buffer[2] = multiSelects;
                buffer[3] = multiDeselects;
                buffer[4] = already;
                buffer[5] = processed;
                buffer[6] = JCSystem.getAssignedChannel();
                buffer[7] = APDU.getCLAChannel();
                buffer[8] = fleeting[0];
                buffer[9] = (byte) uninstalled;
                apdu.setOutgoingAndSend((short) 0, (short) 10);
                return;
            case 0x21:
                fleeting[0] = buffer[ISO7816.OFFSET_P1];
                return;
            case 0x22:
                selects = (byte) 0;
                deselects = (byte) 0;
                multiSelects = (byte) 0;
                multiDeselects = (byte) 0;
                processed = (byte) 0;
                return;
            case 0x23:
                apdu.setOutgoing();
                apdu.setOutgoingLength((short) parameters.length);
                apdu.sendBytesLong(parameters, (short) 0, (short) parameters.length);
                return;
            default:
                ISOException.throwIt(ISO7816.SW_INS_NOT_SUPPORTED);
        }
    }
}
