package conformance.runtime;

import conformance.base.Suite;
import javacard.framework.AID;
import javacard.framework.APDU;
import javacard.framework.JCSystem;
import javacard.framework.OwnerPIN;
import javacard.framework.PINException;
import javacard.framework.SystemException;
import javacard.framework.TransactionException;
import javacard.framework.Util;

/** Util, AID, OwnerPIN, JCSystem. */
public final class Objects extends Suite {
    private static final byte[] AID_BYTES = {(byte) 0xF0, 1, 2, 3, 4, 5, 6};
    private byte[] a;
    private byte[] b;
    private OwnerPIN kept;

    private Objects() {
        a = new byte[16];
        b = new byte[16];
        kept = new OwnerPIN((byte) 3, (byte) 8);
    }

    public static void install(byte[] array, short offset, byte length) {
        new Objects().register(array, (short) (offset + 1), array[offset]);
    }

    private void count(byte[] array) {
        for (short i = (short) 0; i < array.length; i++) {
            array[i] = (byte) i;
        }
    }

    protected void run(short test, short phase, APDU apdu) {
        count(a);
        switch (test) {
            case 1: // API Util.arrayCopy: gives the end, overlapping areas are copied as if by way of another array
                same((short) 7, Util.arrayCopy(a, (short) 0, b, (short) 3, (short) 4));
                same((short) 3, b[6]);
                same((short) 10, Util.arrayCopy(a, (short) 0, a, (short) 2, (short) 8));
                same((short) 0, a[2]);
                same((short) 7, a[9]);
                same((short) 6, Util.arrayCopyNonAtomic(a, (short) 2, a, (short) 0, (short) 6));
                same((short) 5, a[5]);
                return;
            case 2: // API Util.arrayCopy: outside an array nothing is copied
                copyOutside((short) 10, (short) 0, (short) 7);
                copyOutside((short) 0, (short) 10, (short) 7);
                copyOutside((short) -1, (short) 0, (short) 1);
                copyOutside((short) 0, (short) 0, (short) -1);
                copyOutside((short) 0, (short) 17, (short) 0);
                return;
            case 3: // API Util.arrayCopy: null
                try {
                    Util.arrayCopy(null, (short) 0, b, (short) 0, (short) 1);
                    missed();
                } catch (NullPointerException e) {
                    check(true);
                }
                try {
                    Util.arrayCopyNonAtomic(a, (short) 0, null, (short) 0, (short) 0);
                    missed();
                } catch (NullPointerException e) {
                    check(true);
                }
                return;
            case 4: // API Util.arrayCompare: less, equal, greater
                count(b);
                same((short) 0, Util.arrayCompare(a, (short) 1, b, (short) 1, (short) 5));
                b[3] = (byte) 9;
                same((short) -1, Util.arrayCompare(a, (short) 1, b, (short) 1, (short) 5));
                b[3] = (byte) 2;
                same((short) 1, Util.arrayCompare(a, (short) 1, b, (short) 1, (short) 5));
                same((short) 0, Util.arrayCompare(a, (short) 1, b, (short) 1, (short) 0));
                return;
            case 5: // API Util.arrayCompare: bounds and null
                try {
                    Util.arrayCompare(a, (short) 12, b, (short) 0, (short) 5);
                    missed();
                } catch (ArrayIndexOutOfBoundsException e) {
                    check(true);
                }
                try {
                    Util.arrayCompare(a, (short) 0, null, (short) 0, (short) 1);
                    missed();
                } catch (NullPointerException e) {
                    check(true);
                }
                return;
            case 6: // API Util.arrayFillNonAtomic: gives the end; bounds
                same((short) 6, Util.arrayFillNonAtomic(a, (short) 2, (short) 4, (byte) 0x77));
                same((short) 1, a[1]);
                same((short) 0x77, a[2]);
                same((short) 0x77, a[5]);
                same((short) 6, a[6]);
                try {
                    Util.arrayFillNonAtomic(a, (short) 12, (short) 5, (byte) 1);
                    missed();
                } catch (ArrayIndexOutOfBoundsException e) {
                    same((short) 12, a[12]);
                }
                return;
            case 7: // API Util.makeShort, getShort, setShort: high byte first, signs
                same((short) 0x80FF, Util.makeShort((byte) 0x80, (byte) 0xFF));
                same((short) 0x00FF, Util.makeShort((byte) 0, (byte) -1));
                same((short) 5, Util.setShort(a, (short) 3, (short) 0xFE01));
                same((short) -2, a[3]);
                same((short) 1, a[4]);
                same((short) 0xFE01, Util.getShort(a, (short) 3));
                try {
                    Util.getShort(a, (short) 15);
                    missed();
                } catch (ArrayIndexOutOfBoundsException e) {
                    check(true);
                }
                try {
                    Util.setShort(a, (short) 15, (short) 0);
                    missed();
                } catch (ArrayIndexOutOfBoundsException e) {
                    check(true);
                }
                return;
            case 8: // API AID: bytes and comparisons
                AID one = new AID(AID_BYTES, (short) 0, (byte) 7);
                AID two = new AID(AID_BYTES, (short) 0, (byte) 6);
                check(!one.equals(two));
                check(one.equals(new AID(AID_BYTES, (short) 0, (byte) 7)));
                check(!one.equals(null));
                check(!one.equals(AID_BYTES));
                check(one.equals(AID_BYTES, (short) 0, (byte) 7));
                check(!one.equals(AID_BYTES, (short) 0, (byte) 6));
                check(one.RIDEquals(two) && !one.RIDEquals(null));
                check(one.partialEquals(AID_BYTES, (short) 0, (byte) 5));
                check(!two.partialEquals(AID_BYTES, (short) 0, (byte) 7));
                same((short) 7, one.getBytes(b, (short) 1));
                same((short) 6, b[7]);
                same((short) 2, one.getPartialBytes((short) 5, b, (short) 0, (byte) 2));
                same((short) 5, b[0]);
                same((short) 2, one.getPartialBytes((short) 5, b, (short) 0, (byte) 0));
                return;
            case 9: // API AID: a length that no AID has is ILLEGAL_VALUE
                try {
                    new AID(AID_BYTES, (short) 0, (byte) 4);
                    missed();
                } catch (SystemException e) {
                    same(SystemException.ILLEGAL_VALUE, e.getReason());
                }
                try {
                    new AID(new byte[20], (short) 0, (byte) 17);
                    missed();
                } catch (SystemException e) {
                    same(SystemException.ILLEGAL_VALUE, e.getReason());
                }
                try {
                    new AID(AID_BYTES, (short) 3, (byte) 5);
                    missed();
                } catch (ArrayIndexOutOfBoundsException e) {
                    check(true);
                }
                return;
            case 10: // API JCSystem.getAID, lookupAID: this applet, and one that there isn't
                AID own = JCSystem.getAID();
                byte length = own.getBytes(b, (short) 0);
                AID found = JCSystem.lookupAID(b, (short) 0, length);
                check(found != null && found.equals(own));
                check(JCSystem.lookupAID(AID_BYTES, (short) 0, (byte) 7) == null);
                return;
            case 11: // API JCSystem.getVersion: 3.0 or later; the applet is active
                check(JCSystem.getVersion() >= (short) 0x0300);
                check(JCSystem.isAppletActive(JCSystem.getAID()));
                same((short) 0, JCSystem.getAssignedChannel());
                check(JCSystem.getPreviousContextAID() == null);
                return;
            case 12: // API OwnerPIN: tries go down, a right value sets them back
                OwnerPIN pin = new OwnerPIN((byte) 3, (byte) 4);
                pin.update(a, (short) 1, (byte) 4);
                same((short) 3, pin.getTriesRemaining());
                check(!pin.isValidated());
                check(!pin.check(a, (short) 2, (byte) 4));
                same((short) 2, pin.getTriesRemaining());
                check(!pin.check(a, (short) 1, (byte) 3));
                same((short) 1, pin.getTriesRemaining());
                check(pin.check(a, (short) 1, (byte) 4));
                check(pin.isValidated());
                same((short) 3, pin.getTriesRemaining());
                pin.reset();
                check(!pin.isValidated());
                return;
            case 13: // API OwnerPIN: blocked, even for the right value; unblocked
                OwnerPIN shut = new OwnerPIN((byte) 1, (byte) 4);
                shut.update(a, (short) 1, (byte) 4);
                check(!shut.check(a, (short) 2, (byte) 4));
                same((short) 0, shut.getTriesRemaining());
                check(!shut.check(a, (short) 1, (byte) 4));
                check(!shut.isValidated());
                shut.resetAndUnblock();
                same((short) 1, shut.getTriesRemaining());
                check(shut.check(a, (short) 1, (byte) 4));
                return;
            case 14: // API OwnerPIN: ILLEGAL_VALUE for no tries, no size, a value too long
                try {
                    new OwnerPIN((byte) 0, (byte) 4);
                    missed();
                } catch (PINException e) {
                    same(PINException.ILLEGAL_VALUE, e.getReason());
                }
                try {
                    new OwnerPIN((byte) 3, (byte) 0);
                    missed();
                } catch (PINException e) {
                    same(PINException.ILLEGAL_VALUE, e.getReason());
                }
                try {
                    kept.update(a, (short) 0, (byte) 9);
                    missed();
                } catch (PINException e) {
                    same(PINException.ILLEGAL_VALUE, e.getReason());
                }
                return;
            case 15: // API OwnerPIN: a failed update or check by bounds counts a try [reset]
                if (phase == 0) {
                    kept.update(a, (short) 1, (byte) 4);
                    check(kept.check(a, (short) 1, (byte) 4));
                    try {
                        kept.check(a, (short) 14, (byte) 4);
                        missed();
                    } catch (ArrayIndexOutOfBoundsException e) {
                        check(!kept.isValidated());
                    }
                    same((short) 2, kept.getTriesRemaining());
                    check(kept.check(a, (short) 1, (byte) 4));
                } else {
                    // The validated flag is gone with the power, the tries are not.
                    check(!kept.isValidated());
                    same((short) 3, kept.getTriesRemaining());
                }
                return;
            case 16: // API OwnerPIN.check: the empty value of a new PIN
                OwnerPIN fresh = new OwnerPIN((byte) 2, (byte) 4);
                check(!fresh.isValidated());
                same((short) 2, fresh.getTriesRemaining());
                return;
            case 17: // API Object.equals: an object is itself alone
                check(equals(this) && !equals(null) && !a.equals(b));
                return;
            case 18: // API Util.arrayCopy: more than the commit buffer at once is BUFFER_FULL in a transaction
                byte[] long1 = new byte[5000];
                byte[] long2 = new byte[5000];
                JCSystem.beginTransaction();
                try {
                    Util.arrayCopy(long1, (short) 0, long2, (short) 0, (short) 5000);
                    missed();
                } catch (TransactionException e) {
                    same(TransactionException.BUFFER_FULL, e.getReason());
                }
                JCSystem.abortTransaction();
                Util.arrayCopyNonAtomic(long1, (short) 0, long2, (short) 0, (short) 5000);
                JCSystem.requestObjectDeletion();
                return;
            default:
                missed();
        }
    }

    private void copyOutside(short from, short to, short length) {
        b[0] = (byte) 0x55;
        try {
            Util.arrayCopy(a, from, b, to, length);
            missed();
        } catch (ArrayIndexOutOfBoundsException e) {
            same((short) 0x55, b[0]);
        }
    }
}
