package conformance.server;

import conformance.shared.Hidden;
import conformance.shared.Service;
import javacard.framework.AID;
import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Shareable;

/** Shares itself with parameter 1, refuses otherwise. */
public final class Server extends Applet implements Service {
    private byte[] secret = {7, 8, 9};
    private Hidden hidden = new Hidden();
    private Object[] kept = new Object[1];

    private Server() {
        Hidden.array = new byte[3];
    }

    public static void install(byte[] array, short offset, byte length) {
        new Server().register(array, (short) (offset + 1), array[offset]);
    }

    public Shareable getShareableInterfaceObject(AID client, byte parameter) {
        return parameter == 1 && client != null ? this : null;
    }

    public void process(APDU apdu) {}

    public short add(short a, short b) {
        return (short) (a + b);
    }

    public byte peek(byte[] array) {
        return array[0];
    }

    public void fail(short reason) {
        if (reason == 0) {
            throw new ArithmeticException();
        }
        ISOException.throwIt(reason);
    }

    public void caller(byte[] array) {
        array[0] = JCSystem.getPreviousContextAID().getBytes(array, (short) 1);
    }

    public byte[] secret() {
        return secret;
    }

    public Hidden plain() {
        return hidden;
    }

    public short back(Service other, short value) {
        return other.add(value, secret[0]);
    }

    public boolean keep(Object object) {
        try {
            kept[0] = object;
            return true;
        } catch (SecurityException e) {
            return false;
        }
    }
}
