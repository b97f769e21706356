package conformance.memory;

import conformance.base.Suite;
import javacard.framework.APDU;
import javacard.framework.JCSystem;
import javacard.framework.SystemException;

/** Persistent and transient objects, and their deletion. */
public final class Memory extends Suite {
    private static Memory self;

    private byte[] onReset;
    private byte[] onDeselect;
    private short[] shorts;
    private boolean[] flags;
    private Object[] objects;
    private byte[] kept;
    private Node list;
    private short before;

    private static final class Node {
        Node next;
        byte[] load = new byte[200];
    }

    private Memory() {
        onReset = JCSystem.makeTransientByteArray((short) 8, JCSystem.CLEAR_ON_RESET);
        onDeselect = JCSystem.makeTransientByteArray((short) 8, JCSystem.CLEAR_ON_DESELECT);
        shorts = JCSystem.makeTransientShortArray((short) 4, JCSystem.CLEAR_ON_DESELECT);
        flags = JCSystem.makeTransientBooleanArray((short) 4, JCSystem.CLEAR_ON_RESET);
        objects = JCSystem.makeTransientObjectArray((short) 4, JCSystem.CLEAR_ON_RESET);
        kept = new byte[4];
    }

    public static void install(byte[] array, short offset, byte length) {
        self = new Memory();
        self.register(array, (short) (offset + 1), array[offset]);
    }

    protected void run(short test, short phase, APDU apdu) {
        switch (test) {
            case 1: // JCRE 5.1: CLEAR_ON_RESET arrays outlive another selection [reselect]
                if (phase == 0) {
                    fill();
                } else {
                    same((short) 7, onReset[3]);
                    check(flags[2]);
                    check(objects[1] == kept);
                }
                return;
            case 2: // JCRE 5.1: CLEAR_ON_RESET arrays are cleared by a reset [reset]
                if (phase == 0) {
                    fill();
                } else {
                    same((short) 0, onReset[3]);
                    check(!flags[2]);
                    check(objects[1] == null);
                }
                return;
            case 3: // JCRE 5.1: CLEAR_ON_DESELECT arrays are cleared by another selection [reselect]
                if (phase == 0) {
                    fill();
                } else {
                    same((short) 0, onDeselect[3]);
                    same((short) 0, shorts[2]);
                }
                return;
            case 4: // JCRE 5.1: CLEAR_ON_DESELECT arrays are cleared by a reset [reset]
                if (phase == 0) {
                    fill();
                } else {
                    same((short) 0, onDeselect[3]);
                    same((short) 0, shorts[2]);
                }
                return;
            case 5: // JCRE 5: transient arrays keep their values from command to command [next]
                if (phase == 0) {
                    fill();
                } else {
                    same((short) 7, onDeselect[3]);
                    same((short) 0x777, shorts[2]);
                }
                return;
            case 6: // API JCSystem.isTransient: what kind an object is
                same((short) JCSystem.CLEAR_ON_RESET, JCSystem.isTransient(onReset));
                same((short) JCSystem.CLEAR_ON_DESELECT, JCSystem.isTransient(shorts));
                same((short) JCSystem.CLEAR_ON_RESET, JCSystem.isTransient(objects));
                same((short) JCSystem.NOT_A_TRANSIENT_OBJECT, JCSystem.isTransient(kept));
                same((short) JCSystem.NOT_A_TRANSIENT_OBJECT, JCSystem.isTransient(this));
                same((short) JCSystem.NOT_A_TRANSIENT_OBJECT, JCSystem.isTransient(null));
                return;
            case 7: // API JCSystem.makeTransient*: an event that there isn't is ILLEGAL_VALUE
                try {
                    JCSystem.makeTransientByteArray((short) 1, (byte) 3);
                    missed();
                } catch (SystemException e) {
                    same(SystemException.ILLEGAL_VALUE, e.getReason());
                }
                try {
                    JCSystem.makeTransientObjectArray((short) 1, (byte) 0);
                    missed();
                } catch (SystemException e) {
                    same(SystemException.ILLEGAL_VALUE, e.getReason());
                }
                return;
            case 8: // API JCSystem.makeTransient*: a negative length
                try {
                    JCSystem.makeTransientShortArray((short) -1, JCSystem.CLEAR_ON_RESET);
                    missed();
                } catch (NegativeArraySizeException e) {
                    check(true);
                }
                return;
            case 9: // API JCSystem.makeTransient*: more than there is is NO_TRANSIENT_SPACE
                short rounds = (short) 0;
                try {
                    for (; rounds < 100; rounds++) {
                        JCSystem.makeTransientByteArray((short) 4000, JCSystem.CLEAR_ON_RESET);
                    }
                    missed();
                } catch (SystemException e) {
                    same(SystemException.NO_TRANSIENT_SPACE, e.getReason());
                }
                JCSystem.requestObjectDeletion();
                return;
            case 10: // JCRE 5: a transient array of objects holds references, the objects are persistent [reset]
                if (phase == 0) {
                    kept[0] = (byte) 5;
                    objects[0] = kept;
                    ((byte[]) objects[0])[1] = (byte) 6;
                } else {
                    check(objects[0] == null);
                    same((short) 5, kept[0]);
                    same((short) 6, kept[1]);
                }
                return;
            case 11: // JCRE 5: fields of objects and persistent arrays outlive a reset [reset]
                if (phase == 0) {
                    before = (short) 0x5A5A;
                    kept[2] = (byte) 0x33;
                } else {
                    same((short) 0x5A5A, before);
                    same((short) 0x33, kept[2]);
                    check(self == this);
                }
                return;
            case 12: // API JCSystem.requestObjectDeletion: what nothing refers to is gone after the command [next, next]
                if (!JCSystem.isObjectDeletionSupported()) {
                    return;
                }
                if (phase == 0) {
                    list = null;
                    JCSystem.requestObjectDeletion();
                } else if (phase == 1) {
                    before = JCSystem.getAvailableMemory(JCSystem.MEMORY_TYPE_TRANSIENT_RESET);
                    JCSystem.makeTransientByteArray((short) 64, JCSystem.CLEAR_ON_RESET);
                    short now = JCSystem.getAvailableMemory(JCSystem.MEMORY_TYPE_TRANSIENT_RESET);
                    same((short) 64, (short) (before - now));
                    JCSystem.requestObjectDeletion();
                } else {
                    short now = JCSystem.getAvailableMemory(JCSystem.MEMORY_TYPE_TRANSIENT_RESET);
                    same(before, now);
                }
                return;
            case 13: // API JCSystem.requestObjectDeletion: cycles are found, what is reachable stays [next, next, next]
                if (!JCSystem.isObjectDeletionSupported()) {
                    return;
                }
                if (phase == 0) {
                    list = new Node();
                    list.next = new Node();
                    list.next.next = list;
                    list.next.load[199] = (byte) 9;
                    JCSystem.requestObjectDeletion();
                } else if (phase == 1) {
                    same((short) 9, list.next.load[199]);
                    check(list.next.next == list);
                    // Short of memory it is, or the figure is cut at 32767: then it tells nothing.
                    before = JCSystem.getAvailableMemory(JCSystem.MEMORY_TYPE_PERSISTENT);
                    list = null;
                    JCSystem.requestObjectDeletion();
                } else if (phase == 2) {
                    short now = JCSystem.getAvailableMemory(JCSystem.MEMORY_TYPE_PERSISTENT);
                    check(before == 32767 || now > before);
                    check(list == null);
                } else {
                    list = new Node();
                    list = null;
                }
                return;
            case 14: // API JCSystem.getAvailableMemory: a type that there isn't is ILLEGAL_VALUE
                try {
                    JCSystem.getAvailableMemory((byte) 9);
                    missed();
                } catch (SystemException e) {
                    same(SystemException.ILLEGAL_VALUE, e.getReason());
                }
                check(JCSystem.getAvailableMemory(JCSystem.MEMORY_TYPE_PERSISTENT) > 0);
                return;
            default:
                missed();
        }
    }

    private void fill() {
        onReset[3] = (byte) 7;
        onDeselect[3] = (byte) 7;
        shorts[2] = (short) 0x777;
        flags[2] = true;
        objects[1] = kept;
    }
}
