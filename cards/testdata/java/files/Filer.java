package files;

import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.SystemException;
import javacard.framework.Util;
import uicc.access.FileView;
import uicc.access.UICCException;
import uicc.access.UICCSystem;
import uicc.access.fileadministration.AdminException;
import uicc.access.fileadministration.AdminFileView;
import uicc.access.fileadministration.AdminFileViewBuilder;
import uicc.system.HandlerBuilder;
import uicc.toolkit.ViewHandler;

/**
 * Does with FileViews what commands say: P1 is the view's number, the instruction the method. What the method throws
 * is the status word: 65 and the reason of a UICCException, 66 of an AdminException, 67 of a
 * SystemException, 6801 for an index, 6802 for a null pointer, 6803 for the firewall.
 */
public final class Filer extends Applet {
    private final FileView[] views = new FileView[4];
    private final byte[] copy = new byte[64];
    private final short[] numbers = new short[8];
    private final boolean early;

    private Filer(byte[] parameters, short offset) {
        early = UICCSystem.getTheUICCView(JCSystem.CLEAR_ON_RESET) == null;
        register(parameters, (short) (offset + 1), parameters[offset]);
    }

    public static void install(byte[] parameters, short offset, byte length) {
        new Filer(parameters, offset);
    }

    public void process(APDU apdu) {
        if (selectingApplet()) {
            return;
        }
        byte[] buffer = apdu.getBuffer();
        short length = apdu.setIncomingAndReceive();
        short out = 0;
        try {
            out = call(buffer, length);
        } catch (UICCException e) {
            ISOException.throwIt((short) (0x6500 | e.getReason()));
        } catch (AdminException e) {
            ISOException.throwIt((short) (0x6600 | e.getReason()));
        } catch (SystemException e) {
            ISOException.throwIt((short) (0x6700 | e.getReason()));
        } catch (ArrayIndexOutOfBoundsException e) {
            ISOException.throwIt((short) 0x6801);
        } catch (NullPointerException e) {
            ISOException.throwIt((short) 0x6802);
        } catch (SecurityException e) {
            ISOException.throwIt((short) 0x6803);
        }
        Util.arrayCopyNonAtomic(copy, (short) 0, buffer, (short) 0, out);
        apdu.setOutgoingAndSend((short) 0, out);
    }

    private short call(byte[] buffer, short length) {
        byte p2 = buffer[ISO7816.OFFSET_P2];
        short at = ISO7816.OFFSET_CDATA;
        byte ins = buffer[ISO7816.OFFSET_INS];
        byte number = buffer[ISO7816.OFFSET_P1];
        if (ins == 0x10) {
            views[number] = length == 0
                    ? UICCSystem.getTheUICCView(p2)
                    : UICCSystem.getTheFileView(buffer, at, (byte) length, p2);
            return state(number);
        }
        if (ins == 0x12) {
            views[number] = length == 0
                    ? AdminFileViewBuilder.getTheUICCAdminFileView(p2)
                    : AdminFileViewBuilder.getTheAdminFileView(buffer, at, (byte) length, p2);
            return state(number);
        }
        if (ins == 0x14) {
            views[number] = null;
            JCSystem.requestObjectDeletion();
            return 0;
        }
        FileView view = views[number];
        short word = length >= 2 ? Util.getShort(buffer, at) : 0;
        switch (ins) {
            case 0x20:
                return view.select(word, copy, (short) 0, (short) copy.length);
            case 0x21:
                view.select(word);
                return 0;
            case 0x22:
                view.select(p2);
                return 0;
            case 0x24:
                return view.status(copy, (short) 0, p2);
            case 0x30:
                return view.readBinary(word, copy, (short) 0, p2);
            case 0x32:
                view.updateBinary(word, buffer, (short) (at + 2), (short) (length - 2));
                return 0;
            case 0x34:
                return view.readRecord(buffer[at], buffer[(short) (at + 1)], buffer[(short) (at + 2)], copy, (short) 0, p2);
            case 0x36:
                view.updateRecord(buffer[at], buffer[(short) (at + 1)], buffer[(short) (at + 2)], buffer,
                        (short) (at + 3), (short) (length - 3));
                return 0;
            case 0x38:
                short found = view.searchRecord(buffer[at], buffer[(short) (at + 1)],
                        Util.getShort(buffer, (short) (at + 2)), buffer, (short) (at + 4), (short) (length - 4),
                        numbers, (short) 0, (short) numbers.length);
                for (short i = 0; i < found; i++) {
                    copy[i] = (byte) numbers[i];
                }
                return found;
            case 0x3A:
                return view.increase(buffer, at, length, copy, p2);
            case 0x3C:
                view.deactivateFile();
                return 0;
            case 0x3D:
                view.activateFile();
                return 0;
            case 0x3E:
                return view.readBinary(word, null, (short) 0, (short) 1);
            case 0x40:
                ((AdminFileView) view).deleteFile(word);
                return 0;
            case 0x42:
                ((AdminFileView) view).createFile(handler(buffer, length));
                return 0;
            case 0x44:
                ((AdminFileView) view).resizeFile(handler(buffer, length));
                return 0;
            default:
                ISOException.throwIt(ISO7816.SW_INS_NOT_SUPPORTED);
                return 0;
        }
    }

    private static ViewHandler handler(byte[] buffer, short length) {
        return length == 0
                ? null
                : HandlerBuilder.buildTLVHandler(HandlerBuilder.EDIT_HANDLER, length, buffer,
                        ISO7816.OFFSET_CDATA, length);
    }

    private short state(byte number) {
        copy[0] = (byte) (views[number] == null ? 0 : 1);
        copy[1] = (byte) (early ? 1 : 0);
        return 2;
    }
}
