package ipae.applet;

import javacard.framework.JCSystem;
import javacard.framework.Util;

/**
 * The applet's memory: working registers, persistent record, three buffers. All is allocated here, at
 * installation, and never again. Register offsets are in {@link Tables}.
 */
abstract class Memory {
    /** Working registers; the first PERSISTENT bytes mirror the persistent record. */
    final byte[] w;
    /** Block buffer: an ES10 block or the payload of SEND DATA. */
    final byte[] seg;
    /** Receive buffer: RECEIVE DATA or a piece of the eUICC's answer. */
    final byte[] rx;
    /** What is held back. */
    final byte[] hold;
    /** Persistent record. */
    private final byte[] nv;

    Memory() {
        w = JCSystem.makeTransientByteArray(Tables.WORKING, JCSystem.CLEAR_ON_RESET);
        seg = JCSystem.makeTransientByteArray(Tables.BUFFER, JCSystem.CLEAR_ON_RESET);
        rx = JCSystem.makeTransientByteArray(Tables.BUFFER, JCSystem.CLEAR_ON_RESET);
        hold = JCSystem.makeTransientByteArray(Tables.HOLD, JCSystem.CLEAR_ON_RESET);
        nv = new byte[Tables.PERSISTENT];
        Util.arrayCopyNonAtomic(Tables.DEFAULTS, (short) 0, nv, (short) 0, Tables.PERSISTENT);
    }

    final short get16(short register) {
        return Util.getShort(w, register);
    }

    final void put16(short register, short value) {
        Util.setShort(w, register, value);
    }

    /** Reads the persistent record at the first event after a reset. */
    final void load() {
        if (w[Tables.R_LOADED] == 0) {
            Util.arrayCopyNonAtomic(nv, (short) 0, w, (short) 0, Tables.PERSISTENT);
            w[Tables.R_LOADED] = 1;
            byte life = w[Tables.R_LIFE];
            byte state = Tables.ST_UNPERSONALIZED;
            if (life == Tables.LIFE_OPERATIONAL) {
                state = Tables.ST_IDLE;
            } else if (life == Tables.LIFE_LOCKED) {
                state = Tables.ST_LOCKED;
            }
            w[Tables.R_STATE] = state;
        }
    }

    /** Writes the persistent record, all or nothing. */
    final void commit() {
        JCSystem.beginTransaction();
        Util.arrayCopy(w, (short) 0, nv, (short) 0, Tables.PERSISTENT);
        JCSystem.commitTransaction();
    }

    /** Stores the timer identifier at installation. */
    final void installTimer(byte id) {
        nv[Tables.R_TIMER] = id;
    }

    final void log(byte reason) {
        short head = w[Tables.R_LOG_HEAD];
        if (head < 0 || head >= Tables.LOG_ENTRIES) {
            head = 0;
        }
        short at = (short) (Tables.R_LOG + head * Tables.LOG_ENTRY);
        w[at] = reason;
        w[(short) (at + 1)] = w[Tables.R_STATE];
        w[(short) (at + 2)] = w[Tables.R_DETAIL];
        w[(short) (at + 3)] = w[(short) (Tables.R_DETAIL + 1)];
        head++;
        if (head == Tables.LOG_ENTRIES) {
            head = 0;
        }
        w[Tables.R_LOG_HEAD] = (byte) head;
    }

    /** Adds one to a two-byte count that stops at 32767. */
    final void count(short register) {
        short n = get16(register);
        if (n < 0x7FFF) {
            put16(register, (short) (n + 1));
        }
    }
}
