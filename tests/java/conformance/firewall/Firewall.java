package conformance.firewall;

import conformance.base.Suite;
import conformance.shared.Hidden;
import conformance.shared.Service;
import javacard.framework.AID;
import javacard.framework.APDU;
import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Shareable;
import javacard.framework.Util;

/** Contexts, shared objects, entry points and global arrays. The server is on the card. */
public final class Firewall extends Suite implements Service {
    private static final byte[] SERVER = {(byte) 0xF0, 0x49, 0x43, 0x4F, 0x4E, 0x46, 8, 1};
    private static APDU keptApdu;
    private static byte[] keptBuffer;

    private byte[] own = {3, 4};
    private Object slot;
    private Object[] slots = new Object[2];

    private Firewall() {}

    public static void install(byte[] array, short offset, byte length) {
        new Firewall().register(array, (short) (offset + 1), array[offset]);
    }

    public Shareable getShareableInterfaceObject(AID client, byte parameter) {
        return this;
    }

    private Service service() {
        AID aid = JCSystem.lookupAID(SERVER, (short) 0, (byte) SERVER.length);
        return (Service) JCSystem.getAppletShareableInterfaceObject(aid, (byte) 1);
    }

    protected void run(short test, short phase, APDU apdu) {
        byte[] buffer = apdu.getBuffer();
        Service service = service();
        switch (test) {
            case 1: // JCRE 6.2.4: a shareable interface's method is run in its object's context
                same((short) 12, service.add((short) 5, (short) 7));
                check(service instanceof Shareable);
                return;
            case 2: // JCRE 6.2.5: a server that refuses, and one that there isn't
                AID aid = JCSystem.lookupAID(SERVER, (short) 0, (byte) SERVER.length);
                check(JCSystem.getAppletShareableInterfaceObject(aid, (byte) 2) == null);
                AID nobody = new AID(SERVER, (short) 0, (byte) 6);
                check(JCSystem.getAppletShareableInterfaceObject(nobody, (byte) 1) == null);
                return;
            case 3: // JCRE 6.2.8: an array of another context: no element, no length
                byte[] secret = service.secret();
                check(secret != null);
                try {
                    same((short) 0, secret[0]);
                    missed();
                } catch (SecurityException e) {
                    check(true);
                }
                try {
                    secret[0] = (byte) 1;
                    missed();
                } catch (SecurityException e) {
                    check(true);
                }
                try {
                    same((short) 0, (short) secret.length);
                    missed();
                } catch (SecurityException e) {
                    check(true);
                }
                try {
                    Util.arrayCopy(secret, (short) 0, buffer, (short) 0, (short) 1);
                    missed();
                } catch (SecurityException e) {
                    check(true);
                }
                return;
            case 4: // JCRE 6.2.8: a field and a method of another context's object
                Hidden hidden = service.plain();
                try {
                    hidden.value = (short) 1;
                    missed();
                } catch (SecurityException e) {
                    check(true);
                }
                try {
                    same((short) 5, hidden.value);
                    missed();
                } catch (SecurityException e) {
                    check(true);
                }
                try {
                    hidden.get();
                    missed();
                } catch (SecurityException e) {
                    check(true);
                }
                return;
            case 5: // JCRE 6.2.8: casts of another context's object: only to what it shares
                Object shared = service;
                check(shared instanceof Service);
                Object plain = service.plain();
                try {
                    Hidden cast = (Hidden) plain;
                    check(cast == null);
                    missed();
                } catch (SecurityException e) {
                    check(true);
                }
                try {
                    check(!(plain instanceof Hidden));
                    missed();
                } catch (SecurityException e) {
                    check(true);
                }
                return;
            case 6: // JCRE 6.2.8: the caller's array is closed to the server
                try {
                    service.peek(own);
                    missed();
                } catch (SecurityException e) {
                    check(true);
                }
                return;
            case 7: // JCRE 6.2.2: a global array is open to all
                buffer[0] = (byte) 0x44;
                same((short) 0x44, service.peek(buffer));
                return;
            case 8: // JCRE 6.2.2: references to global arrays can't be stored
                try {
                    slot = buffer;
                    missed();
                } catch (SecurityException e) {
                    check(slot == null);
                }
                try {
                    slots[0] = buffer;
                    missed();
                } catch (SecurityException e) {
                    check(slots[0] == null);
                }
                try {
                    keptBuffer = buffer;
                    missed();
                } catch (SecurityException e) {
                    check(keptBuffer == null);
                }
                check(!service.keep(buffer));
                return;
            case 9: // JCRE 6.2.1: references to temporary entry points can't be stored
                try {
                    slot = apdu;
                    missed();
                } catch (SecurityException e) {
                    check(slot == null);
                }
                try {
                    keptApdu = apdu;
                    missed();
                } catch (SecurityException e) {
                    check(keptApdu == null);
                }
                return;
            case 10: // JCRE 6.2.1: references to permanent entry points can be stored
                slot = JCSystem.getAID();
                check(slot != null);
                slots[1] = JCSystem.lookupAID(SERVER, (short) 0, (byte) SERVER.length);
                check(((AID) slots[1]).equals(SERVER, (short) 0, (byte) SERVER.length));
                slot = null;
                return;
            case 11: // JCRE 6.2.6: getPreviousContextAID names the caller
                service.caller(buffer);
                AID me = JCSystem.getAID();
                check(me.equals(buffer, (short) 1, buffer[0]));
                check(JCSystem.getPreviousContextAID() == null);
                return;
            case 12: // JCRE 6.2.8.9: exceptions cross contexts, and their reasons are readable
                try {
                    service.fail((short) 0x6A77);
                    missed();
                } catch (ISOException e) {
                    same((short) 0x6A77, e.getReason());
                }
                return;
            case 13: // JCRE 6.2.8: an exception object of another context is thrown as it is
                try {
                    service.fail((short) 0);
                    missed();
                } catch (ArithmeticException e) {
                    check(true);
                }
                return;
            case 14: // JCRE 6.1.2: static fields are not protected, what they refer to is
                Hidden.open = (short) 9;
                same((short) 9, Hidden.open);
                byte[] array = Hidden.array;
                check(array != null);
                try {
                    array[0] = (byte) 1;
                    missed();
                } catch (SecurityException e) {
                    check(true);
                }
                return;
            case 15: // JCRE 6.2.4: a call back into the caller's context
                same((short) 27, service.back(this, (short) 20));
                return;
            case 16: // JCRE 6.2.4: references to another context's objects can be kept
                slot = service;
                same((short) 3, ((Service) slot).add((short) 1, (short) 2));
                check(service.keep(this));
                check(service.keep(null));
                slot = null;
                return;
            case 17: // JCRE 6.1.4: applets of one package share a context [mate]
                if (phase == 0) {
                    Mate.shared = own;
                    same((short) 3, Mate.shared[0]);
                    return;
                }
                same((short) 3, Mate.shared[0]);
                return;
            case 18: // JCRE 6.2.8: comparison doesn't touch the object
                Object secretArray = service.secret();
                check(secretArray != own && secretArray != null);
                return;
            default:
                missed();
        }
    }

    public short add(short a, short b) {
        return (short) (a + b + own.length - 2);
    }

    public byte peek(byte[] array) {
        return array[0];
    }

    public void fail(short reason) {}

    public void caller(byte[] array) {}

    public byte[] secret() {
        return own;
    }

    public Hidden plain() {
        return null;
    }

    public short back(Service other, short value) {
        return value;
    }

    public boolean keep(Object object) {
        return false;
    }
}
