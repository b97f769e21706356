package demo;

import ipae.es10.Es10Port;
import javacard.framework.AID;
import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Shareable;
import javacard.framework.TransactionException;
import javacard.framework.Util;
import uicc.toolkit.ProactiveHandler;
import uicc.toolkit.ProactiveHandlerSystem;
import uicc.toolkit.ToolkitConstants;
import uicc.toolkit.ToolkitException;
import uicc.toolkit.ToolkitInterface;
import uicc.toolkit.ToolkitRegistry;
import uicc.toolkit.ToolkitRegistrySystem;

public class DemoApplet extends Applet implements ToolkitInterface, ToolkitConstants, Counting {
    private static final byte INS_ADD = (byte) 0x10;
    static final byte[] TABLE = {1, 2, (byte) 0x80, -1};
    static final short[] WORDS = {(short) 0x9000, 0x6A80, -1};
    static final boolean[] FLAGS = {true, false};
    static final byte[] ZEROS = new byte[4];
    static short counter = 300;
    static byte small = -5;
    static boolean off;
    static Object anything;

    protected short total;
    private byte[] buffer;
    byte state;
    private boolean armed;
    private Es10Port port;
    private Node list;
    private final Shape[] shapes = new Shape[2];

    private DemoApplet(byte[] data, short offset, byte length) {
        buffer = JCSystem.makeTransientByteArray((short) 64, JCSystem.CLEAR_ON_RESET);
        state = 3;
        shapes[0] = new Square((short) 4);
        shapes[1] = new Node(null, (byte) 2);
        list = new Node(new Node(null, (byte) 1), (byte) 7);
        register(data, (short) (offset + 1), data[offset]);
        ToolkitRegistry registry = ToolkitRegistrySystem.getEntry();
        registry.setEvent(EVENT_TIMER_EXPIRATION);
    }

    public static void install(byte[] data, short offset, byte length) {
        new DemoApplet(data, offset, length);
    }

    public boolean select() {
        armed = !armed;
        return armed && super.select();
    }

    public Shareable getShareableInterfaceObject(AID client, byte parameter) {
        if (parameter == 1) {
            return this;
        }
        return super.getShareableInterfaceObject(client, parameter);
    }

    public void process(APDU apdu) {
        byte[] b = apdu.getBuffer();
        if (selectingApplet()) {
            return;
        }
        switch (b[ISO7816.OFFSET_INS]) {
            case INS_ADD:
                total += Util.getShort(b, ISO7816.OFFSET_CDATA);
                this.state++;
                break;
            case 0x11:
            case 0x12:
                Util.setShort(b, (short) 0, sum(b, (short) 5, (short) (b[4] & 0xFF)));
                apdu.setOutgoingAndSend((short) 0, (short) 2);
                break;
            case 0x13:
                b[0] = (byte) (area() >> 1);
                break;
            case 0x7F:
                ISOException.throwIt(tryIt(b));
                break;
            default:
                ISOException.throwIt(ISO7816.SW_INS_NOT_SUPPORTED);
        }
        switch (total) {
            case 100:
                counter = 0;
                break;
            case -3000:
                counter = 1;
                break;
        }
    }

    static short sum(byte[] b, short from, short count) {
        short result = 0;
        for (short i = from; i < (short) (from + count); i++) {
            result = (short) (result + (b[i] & 0xFF));
            result ^= (short) (result << 3);
        }
        for (byte j = 0; j < 3; j++) {
            result -= TABLE[j] & 0x0F;
            result = (short) (result >>> 1);
        }
        return result;
    }

    private short area() {
        short all = 0;
        for (short i = 0; i < shapes.length; i++) {
            if (shapes[i] != null) {
                all += shapes[i].area();
            }
        }
        Node node = list;
        while (node != null) {
            all += node.value;
            node = node.next;
        }
        return all;
    }

    private short tryIt(byte[] b) {
        short result = 1;
        JCSystem.beginTransaction();
        try {
            try {
                b[result] = b[(short) (result + 1)];
                result = WORDS[result];
            } catch (ArrayIndexOutOfBoundsException e) {
                result = 5;
                return result;
            } finally {
                counter++;
            }
            if (b[0] == 0) {
                throw new TransactionException(TransactionException.BUFFER_FULL);
            }
        } catch (TransactionException e) {
            result = e.getReason();
        } finally {
            JCSystem.commitTransaction();
        }
        return result;
    }

    public void processToolkit(short event) throws ToolkitException {
        ProactiveHandler handler = ProactiveHandlerSystem.getTheHandler();
        handler.init(PRO_CMD_DISPLAY_TEXT, (byte) 0, DEV_ID_DISPLAY);
        handler.appendTLV(TAG_TEXT_STRING, TABLE, (short) 0, (short) TABLE.length);
        if (handler.send() != RES_CMD_PERF) {
            port = (Es10Port) JCSystem.getAppletShareableInterfaceObject(null, (byte) 0);
            short sw = port.storeData((byte) 0x91, (byte) 0, total);
            anything = buffer;
            if (anything instanceof byte[] && anything instanceof Shape) {
                off = sw == ISO7816.SW_NO_ERROR;
            }
        }
    }

    public short count(short by) {
        return (short) (total + by);
    }

    static class Node implements Shape {
        final Node next;
        byte value;

        Node(Node next, byte value) {
            this.next = next;
            this.value = value;
        }

        public short area() {
            return value;
        }

        void grow(byte[] b, short i) {
            b[i++] += value++;
            value = b[i];
        }
    }

    class Helper extends Square {
        Helper() {
            super((short) 1);
        }

        public short area() {
            state = 9;
            return (short) (super.area() * total);
        }
    }
}
