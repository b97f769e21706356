package conformance.transactions;

import conformance.base.Suite;
import javacard.framework.APDU;
import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.OwnerPIN;
import javacard.framework.TransactionException;
import javacard.framework.Util;

/** Atomicity and transactions. */
public final class Transactions extends Suite {
    private static short shared;

    private short field;
    private byte[] array;
    private byte[] large;
    private byte[] fleeting;
    private Object made;
    private Object[] slots;
    private OwnerPIN pin;

    private Transactions() {
        array = new byte[8];
        large = new byte[6000];
        slots = new Object[2];
        fleeting = JCSystem.makeTransientByteArray((short) 8, JCSystem.CLEAR_ON_RESET);
        pin = new OwnerPIN((byte) 3, (byte) 4);
    }

    public static void install(byte[] array, short offset, byte length) {
        new Transactions().register(array, (short) (offset + 1), array[offset]);
    }

    protected void run(short test, short phase, APDU apdu) {
        switch (test) {
            case 1: // JCRE 7.2: getTransactionDepth is 0 outside and 1 inside
                same((short) 0, JCSystem.getTransactionDepth());
                JCSystem.beginTransaction();
                same((short) 1, JCSystem.getTransactionDepth());
                JCSystem.commitTransaction();
                same((short) 0, JCSystem.getTransactionDepth());
                return;
            case 2: // JCRE 7.7: transactions don't nest
                JCSystem.beginTransaction();
                try {
                    JCSystem.beginTransaction();
                    missed();
                } catch (TransactionException e) {
                    same(TransactionException.IN_PROGRESS, e.getReason());
                }
                same((short) 1, JCSystem.getTransactionDepth());
                JCSystem.abortTransaction();
                return;
            case 3: // API JCSystem: commit and abort without a transaction
                try {
                    JCSystem.commitTransaction();
                    missed();
                } catch (TransactionException e) {
                    same(TransactionException.NOT_IN_PROGRESS, e.getReason());
                }
                try {
                    JCSystem.abortTransaction();
                    missed();
                } catch (TransactionException e) {
                    same(TransactionException.NOT_IN_PROGRESS, e.getReason());
                }
                return;
            case 4: // JCRE 7.6: abort takes back fields, statics, elements, copies
                field = (short) 1;
                shared = (short) 2;
                array[0] = (byte) 3;
                slots[0] = array;
                JCSystem.beginTransaction();
                field = (short) 11;
                field++;
                shared = (short) 12;
                array[0] = (byte) 13;
                array[1] = (byte) 14;
                slots[0] = null;
                Util.setShort(array, (short) 2, (short) 0x1234);
                Util.arrayCopy(array, (short) 0, array, (short) 4, (short) 4);
                same((short) 12, field);
                same((short) 0x12, array[2]);
                JCSystem.abortTransaction();
                same((short) 1, field);
                same((short) 2, shared);
                same((short) 3, array[0]);
                check(slots[0] == array);
                same((short) 0, array[1]);
                same((short) 0, array[2]);
                same((short) 0, array[4]);
                return;
            case 5: // JCRE 7.1: commit keeps everything, a reset doesn't change it [reset]
                if (phase == 0) {
                    JCSystem.beginTransaction();
                    field = (short) 21;
                    array[6] = (byte) 22;
                    JCSystem.commitTransaction();
                }
                same((short) 21, field);
                same((short) 22, array[6]);
                if (phase == 1) {
                    array[6] = (byte) 0;
                }
                return;
            case 6: // JCRE 7.7: transient arrays and local variables take no part
                short local = (short) 1;
                fleeting[0] = (byte) 1;
                JCSystem.beginTransaction();
                local = (short) 2;
                fleeting[0] = (byte) 2;
                JCSystem.abortTransaction();
                same((short) 2, local);
                same((short) 2, fleeting[0]);
                return;
            case 7: // API Util: the non-atomic methods take no part
                Util.arrayFillNonAtomic(array, (short) 0, (short) 8, (byte) 0);
                JCSystem.beginTransaction();
                Util.arrayFillNonAtomic(array, (short) 0, (short) 2, (byte) 9);
                Util.arrayCopyNonAtomic(array, (short) 0, array, (short) 4, (short) 2);
                JCSystem.abortTransaction();
                same((short) 9, array[1]);
                same((short) 9, array[5]);
                Util.arrayFillNonAtomic(array, (short) 0, (short) 8, (byte) 0);
                return;
            case 8: // JCRE 7.6.2: what an aborted transaction made is gone, references to it are null
                made = null;
                slots[1] = null;
                fleeting[1] = (byte) 0;
                JCSystem.beginTransaction();
                Object local2 = new byte[10];
                made = local2;
                slots[1] = local2;
                JCSystem.abortTransaction();
                check(made == null);
                check(slots[1] == null);
                check(local2 == null);
                return;
            case 9: // JCRE 7.4: a reset takes back what was not committed, and what came before stays [reset]
                if (phase == 0) {
                    field = (short) 31;
                    array[7] = (byte) 32;
                    JCSystem.beginTransaction();
                    field = (short) 41;
                    array[7] = (byte) 42;
                    // The transaction ends with the command (7.6.3): no reset is needed.
                    return;
                }
                same((short) 31, field);
                same((short) 32, array[7]);
                array[7] = (byte) 0;
                return;
            case 10: // JCRE 7.6.3: a command that ends with an open transaction takes it back [next]
                if (phase == 0) {
                    field = (short) 51;
                    JCSystem.beginTransaction();
                    field = (short) 52;
                    return;
                }
                same((short) 51, field);
                same((short) 0, JCSystem.getTransactionDepth());
                return;
            case 11: // JCRE 7.6.3: so does a command that ends with an exception [sw 6A99, next]
                if (phase == 0) {
                    field = (short) 61;
                    JCSystem.beginTransaction();
                    field = (short) 62;
                    ISOException.throwIt((short) 0x6A99);
                }
                same((short) 61, field);
                return;
            case 12: // JCRE 7.8: a transaction larger than the commit buffer is BUFFER_FULL
                large[0] = (byte) 1;
                short reason = (short) 0;
                JCSystem.beginTransaction();
                try {
                    for (short i = (short) 0; i < 6000; i++) {
                        large[i] = (byte) (i + 7);
                    }
                } catch (TransactionException e) {
                    reason = e.getReason();
                }
                // An assertion writes: it has to wait until there is room again.
                JCSystem.abortTransaction();
                same(TransactionException.BUFFER_FULL, reason);
                same((short) 1, large[0]);
                same((short) 0, large[1]);
                return;
            case 13: // API JCSystem.getUnusedCommitCapacity: shrinks, and is whole again after commit
                short whole = JCSystem.getMaxCommitCapacity();
                check(whole > 0);
                JCSystem.beginTransaction();
                check(JCSystem.getUnusedCommitCapacity() <= whole);
                Util.arrayFillNonAtomic(fleeting, (short) 0, (short) 8, (byte) 5);
                Util.arrayCopy(fleeting, (short) 0, array, (short) 0, (short) 8);
                check(JCSystem.getUnusedCommitCapacity() < whole);
                JCSystem.commitTransaction();
                same(whole, JCSystem.getUnusedCommitCapacity());
                Util.arrayFillNonAtomic(array, (short) 0, (short) 8, (byte) 0);
                return;
            case 14: // API OwnerPIN.check: the try counter takes no part
                fleeting[0] = (byte) 1;
                fleeting[1] = (byte) 2;
                pin.update(fleeting, (short) 0, (byte) 2);
                JCSystem.beginTransaction();
                check(!pin.check(fleeting, (short) 1, (byte) 2));
                same((short) 2, pin.getTriesRemaining());
                JCSystem.abortTransaction();
                same((short) 2, pin.getTriesRemaining());
                JCSystem.beginTransaction();
                check(pin.check(fleeting, (short) 0, (byte) 2));
                JCSystem.abortTransaction();
                check(pin.isValidated());
                same((short) 3, pin.getTriesRemaining());
                return;
            case 15: // API OwnerPIN.update: takes part
                fleeting[0] = (byte) 1;
                fleeting[1] = (byte) 2;
                fleeting[2] = (byte) 3;
                pin.update(fleeting, (short) 0, (byte) 2);
                JCSystem.beginTransaction();
                pin.update(fleeting, (short) 1, (byte) 2);
                JCSystem.abortTransaction();
                check(pin.check(fleeting, (short) 0, (byte) 2));
                return;
            case 16: // JCRE 7.6.2: transient arrays made in an aborted transaction are gone too
                slots[0] = null;
                JCSystem.beginTransaction();
                slots[0] = JCSystem.makeTransientByteArray((short) 4, JCSystem.CLEAR_ON_RESET);
                check(slots[0] != null);
                JCSystem.abortTransaction();
                check(slots[0] == null);
                return;
            case 17: // JCRE 7.7: an exception that is caught leaves the transaction as it is
                field = (short) 71;
                JCSystem.beginTransaction();
                field = (short) 72;
                try {
                    array[8] = (byte) 1;
                    missed();
                } catch (ArrayIndexOutOfBoundsException e) {
                    same((short) 1, JCSystem.getTransactionDepth());
                }
                JCSystem.commitTransaction();
                same((short) 72, field);
                return;
            default:
                missed();
        }
    }
}
