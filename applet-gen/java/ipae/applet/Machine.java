package ipae.applet;

import ipae.es10.Es10Port;
import javacard.framework.Util;

/**
 * Interprets the transition table. An action gives the event that it raises, or NO_EVENT; one that sends
 * something gives the event that the answer is.
 */
final class Machine extends Answer {
    static final byte NO_EVENT = -1;

    Machine(Es10Port port) {
        super(port);
    }

    /** Takes an event and all that follow from it. */
    void run(byte event) {
        while (event != NO_EVENT) {
            short row = findRow(event);
            if (row < 0) {
                return;
            }
            byte[] rows = Tables.ROWS;
            w[Tables.R_STATE] = rows[(short) (row + 3)];
            short count = rows[(short) (row + 4)];
            row += 5;
            event = NO_EVENT;
            for (; count > 0; count--) {
                byte raised = act(rows[row], rows[(short) (row + 1)]);
                if (raised != NO_EVENT) {
                    event = raised;
                }
                row += 2;
            }
        }
    }

    /** The first row of the state and event whose guard holds, or -1. */
    private short findRow(byte event) {
        byte[] rows = Tables.ROWS;
        byte state = w[Tables.R_STATE];
        short row = Tables.STATE_ROWS[state];
        short end = Tables.STATE_ROWS[(short) (state + 1)];
        while (row < end) {
            if (rows[(short) (row + 1)] == event && holds(rows[(short) (row + 2)])) {
                return row;
            }
            row = (short) (row + 5 + 2 * rows[(short) (row + 4)]);
        }
        return (short) -1;
    }

    boolean isResting() {
        byte state = w[Tables.R_STATE];
        return state == Tables.ST_IDLE || state == Tables.ST_BACKOFF || state == Tables.ST_CHECK_WAIT;
    }

    private boolean holds(byte guard) {
        byte mode = w[Tables.R_MODE];
        boolean results = w[Tables.R_QUERY] == Tables.QUERY_RESULTS;
        boolean found = get16(Tables.R_LEN1) > 0;
        switch (guard) {
            case Tables.GU_ALWAYS:
                return true;
            case Tables.GU_NO_BIP:
                return missingFeature() >= 0;
            case Tables.GU_CONFIRMED:
                return mode == Tables.MODE_NORMAL;
            case Tables.GU_UNCONFIRMED:
                return mode != Tables.MODE_NORMAL;
            case Tables.GU_CHECKING:
                return mode == Tables.MODE_SWITCHED && w[Tables.R_TRIES] > 0;
            case Tables.GU_FAILING:
                return w[Tables.R_FAILS] > 0;
            case Tables.GU_MAY_ROLL_BACK:
                return w[Tables.R_GOAL] == Tables.GOAL_FAIL && mode == Tables.MODE_SWITCHED
                        && w[Tables.R_TRIES] == 0 && w[Tables.R_LOSS] == 0;
            case Tables.GU_MAY_FOLLOW:
                return w[Tables.R_GOAL] == Tables.GOAL_FAIL && mode == Tables.MODE_ROLLED_BACK
                        && w[Tables.R_TRIES] == 0;
            case Tables.GU_MAY_UNDO:
                return mode == Tables.MODE_SWITCHED && w[Tables.R_LOSS] == 0;
            case Tables.GU_REFRESH_TRIES_LEFT:
                return w[Tables.R_REFRESH_LEFT] > 0;
            case Tables.GU_DUE:
                return w[Tables.R_TRIGGERED] == 1 && isResting()
                        || w[Tables.R_NO_TIMER] == 1 && w[Tables.R_TICKS] == 0;
            case Tables.GU_COUNTING:
                return w[Tables.R_NO_TIMER] == 1;
            case Tables.GU_EID_UNKNOWN:
                return w[Tables.R_EID_LEN] != 16;
            case Tables.GU_EID_MISSING:
                return w[Tables.R_QUERY] == Tables.QUERY_EID && w[Tables.R_EID_LEN] != 16;
            case Tables.GU_QUERY_EID:
                return w[Tables.R_QUERY] == Tables.QUERY_EID;
            case Tables.GU_QUERY_EIM:
                return w[Tables.R_QUERY] == Tables.QUERY_EIM;
            case Tables.GU_RESULT_FROM_BEFORE:
                return results && found && w[Tables.R_PKG] == 0 && mode == Tables.MODE_NORMAL;
            case Tables.GU_RESULT_FOUND:
                return results && found;
            case Tables.GU_NO_RESULT:
                return results && mode == Tables.MODE_NORMAL;
            case Tables.GU_NO_RESULT_LEFT:
                return results;
            case Tables.GU_RESULTS_UNKNOWN:
                return w[Tables.R_RESULTS_KNOWN] == 0;
            case Tables.GU_BLOCK_MORE:
                return w[Tables.R_LAST] == 0;
            case Tables.GU_RESULT_CHANGED:
                return w[Tables.R_KIND] == Tables.KIND_SIGNED && w[Tables.R_CHANGED] == 1;
            case Tables.GU_RESULT_SIGNED:
                return w[Tables.R_KIND] == Tables.KIND_SIGNED;
            case Tables.GU_RESULT_KEPT:
                return w[Tables.R_KIND] == Tables.KIND_ERROR && w[Tables.R_BLOCK] == 1;
            case Tables.GU_RESULT_UNKNOWN:
                return w[Tables.R_KIND] == Tables.KIND_NONE;
            case Tables.GU_TX_UNCONFIRMED:
                return w[Tables.R_TX_KIND] == Tables.TX_RESULT && mode != Tables.MODE_NORMAL;
            case Tables.GU_TX_RESULT:
                return w[Tables.R_TX_KIND] == Tables.TX_RESULT;
            case Tables.GU_ACKS_LEFT:
                return w[Tables.R_ACKS] > 0;
            case Tables.GU_GOAL_REFRESH:
                return w[Tables.R_GOAL] == Tables.GOAL_REFRESH;
            case Tables.GU_GOAL_END:
                return w[Tables.R_GOAL] == Tables.GOAL_END;
            case Tables.GU_CODE_OK:
                return w[Tables.R_KIND] == Tables.KIND_CODE && w[Tables.R_CODE] == 0;
            case Tables.GU_CAT_BUSY:
                return w[Tables.R_CODE] == Tables.CAT_BUSY;
            case Tables.GU_NOTICE_FOUND:
                return w[Tables.R_QUERY] == Tables.QUERY_NOTICE && found && w[Tables.R_ACKS] == 1;
            case Tables.GU_QUERY_NOTICE:
                return w[Tables.R_QUERY] == Tables.QUERY_NOTICE;
            case Tables.GU_QUERY_INFO:
                return w[Tables.R_QUERY] == Tables.QUERY_INFO;
            case Tables.GU_CHALLENGE_KNOWN:
                return w[Tables.R_CHALLENGE_LEN] == 16;
            case Tables.GU_DOWNLOADING:
                return isDownloading();
            case Tables.GU_TX_CANCEL:
                return w[Tables.R_TX_KIND] == Tables.TX_CANCEL;
            case Tables.GU_TX_NOTICE:
                return w[Tables.R_TX_KIND] == Tables.TX_NOTICE;
            case Tables.GU_TX_NOTICE_AGAIN:
                return w[Tables.R_TX_KIND] == Tables.TX_NOTICE && w[Tables.R_FAILS] > 0;
            case Tables.GU_NOTHING_READ:
                return get16(Tables.R_READ) == 0;
            case Tables.GU_AUTHENTICATED:
                return w[Tables.R_TX_KIND] == Tables.TX_INITIATE && isHeld();
            case Tables.GU_PREPARED:
                return w[Tables.R_TX_KIND] == Tables.TX_AUTHENTICATE && isHeld();
            case Tables.GU_LOADED_WHOLE:
                return w[Tables.R_KIND] == Tables.KIND_INSTALLED && bodyIsComplete();
            case Tables.GU_LOADED:
                return w[Tables.R_KIND] == Tables.KIND_INSTALLED || w[Tables.R_KIND] == Tables.KIND_NOT_INSTALLED;
            case Tables.GU_CANCELLED:
                return isHeld();
            case Tables.GU_PROGRESS:
                return w[Tables.R_PROGRESS] == 1;
            case Tables.GU_GOAL_POLL:
                return w[Tables.R_GOAL] == Tables.GOAL_POLL;
            case Tables.GU_GOAL_FINISH:
                return w[Tables.R_GOAL] == Tables.GOAL_FINISH;
            case Tables.GU_GOAL_CANCEL:
                return w[Tables.R_GOAL] == Tables.GOAL_CANCEL;
            case Tables.GU_SESSION_KNOWN:
                return w[Tables.R_RTID_LEN] > 0;
            default:
                return false;
        }
    }

    private byte act(byte action, byte argument) {
        switch (action) {
            case Tables.AC_LOG:
                log(argument);
                break;
            case Tables.AC_COMMIT:
                commit();
                break;
            case Tables.AC_RAISE:
                return argument;
            case Tables.AC_BEGIN_SESSION:
                beginSession();
                break;
            case Tables.AC_SET_GOAL:
                w[Tables.R_GOAL] = argument;
                break;
            case Tables.AC_SET_MODE:
                w[Tables.R_MODE] = argument;
                w[Tables.R_RESULTS_KNOWN] = 0;
                break;
            case Tables.AC_LOAD_TRIES:
                w[Tables.R_TRIES] = w[Tables.R_CHECK_TRIES];
                w[Tables.R_REFRESH_LEFT] = w[Tables.R_REFRESH_TRIES];
                break;
            case Tables.AC_COUNT_POLL:
                count(Tables.R_POLLS);
                w[Tables.R_FAILS] = 0;
                if (w[Tables.R_EIM_CHOICE] == 2) {
                    nextEim();
                }
                break;
            case Tables.AC_COUNT_FAILURE:
                countFailure();
                break;
            case Tables.AC_COUNT_SWITCH:
                count(Tables.R_SWITCHES);
                break;
            case Tables.AC_COUNT_ROLLBACK:
                count(Tables.R_ROLLBACKS);
                break;
            case Tables.AC_COUNT_REFRESH:
                w[Tables.R_REFRESH_LEFT]--;
                break;
            case Tables.AC_DELAY_BOOT:
                delay(get16(Tables.R_BOOT_DELAY));
                break;
            case Tables.AC_DELAY_POLL:
                delayMinutes(get16(Tables.R_POLL));
                break;
            case Tables.AC_DELAY_BACKOFF:
                delayBackoff();
                break;
            case Tables.AC_DELAY_CHECK:
                delay(get16(Tables.R_CHECK));
                break;
            case Tables.AC_DELAY_REFRESH:
                delay(get16(Tables.R_REFRESH));
                break;
            case Tables.AC_DELAY_RESPONSE:
                delay(get16(Tables.R_RESPONSE));
                break;
            case Tables.AC_START_TIMER:
                return startTimer();
            case Tables.AC_TIMER_REFUSED:
                timerRefused();
                break;
            case Tables.AC_COUNT_TICK:
                if (w[Tables.R_TICKS] > 0) {
                    w[Tables.R_TICKS]--;
                }
                break;
            case Tables.AC_OPEN_CHANNEL:
                return openChannel();
            case Tables.AC_NOTE_CHANNEL:
                return noteChannel();
            case Tables.AC_CLOSE_CHANNEL:
                return closeChannel();
            case Tables.AC_FORGET_CHANNEL:
                w[Tables.R_CHANNEL] = 0;
                break;
            case Tables.AC_SEND_DATA:
                return sendData();
            case Tables.AC_RECEIVE_DATA:
                return receiveData();
            case Tables.AC_REFRESH:
                return refresh();
            case Tables.AC_ASK:
                return ask(argument);
            case Tables.AC_READ_ANSWER:
                return read(Tables.BUFFER);
            case Tables.AC_SCAN:
                return scan();
            case Tables.AC_RESOLVE_EIM:
                return resolveEim();
            case Tables.AC_RESULTS_NONE:
                w[Tables.R_RESULTS_KNOWN] = 1;
                break;
            case Tables.AC_PREPARE_REQUEST:
                prepareRequest(argument);
                break;
            case Tables.AC_PRODUCE:
                return produce();
            case Tables.AC_ASK_PART:
                return askPart();
            case Tables.AC_READ_PART:
                return readPart();
            case Tables.AC_TAKE_PART:
                return takePart();
            case Tables.AC_EMPTY_BLOCK:
                put16(Tables.R_SEG_LEN, (short) 0);
                break;
            case Tables.AC_BEGIN_ANSWER:
                beginAnswer();
                break;
            case Tables.AC_NOTE_AVAILABLE:
                noteAvailable();
                break;
            case Tables.AC_TAKE_DATA:
                takeData();
                break;
            case Tables.AC_FEED:
                return feed();
            case Tables.AC_STORE_BLOCK:
                return storeBlock(argument);
            case Tables.AC_DROP_PACKAGE:
                dropPackage();
                break;
            case Tables.AC_STORE_ACK:
                return storeAck();
            case Tables.AC_DROP_ACK:
                dropAck();
                break;
            case Tables.AC_BEGIN_DOWNLOAD:
                return beginDownload();
            case Tables.AC_BEGIN_DATA:
                return beginData();
            case Tables.AC_ASK_DATA:
                return askData();
            case Tables.AC_NOTE_PART:
                notePart();
                break;
            case Tables.AC_BEGIN_READING:
                beginReading();
                break;
            default:
                break;
        }
        return NO_EVENT;
    }

    private void beginSession() {
        w[Tables.R_TRIGGERED] = 0;
        w[Tables.R_ROUNDS] = Tables.ROUNDS;
        w[Tables.R_PKG] = 0;
        w[Tables.R_GOAL] = Tables.GOAL_FAIL;
        put16(Tables.R_LEN1, (short) 0);
        put16(Tables.R_LEN2, (short) 0);
    }

    private void countFailure() {
        count(Tables.R_FAILURES);
        if (w[Tables.R_FAILS] < 15) {
            w[Tables.R_FAILS]++;
        }
        if (w[Tables.R_MODE] != Tables.MODE_NORMAL && w[Tables.R_TRIES] > 0) {
            w[Tables.R_TRIES]--;
        }
        if (w[Tables.R_EIM_CHOICE] != 0) {
            nextEim();
        }
    }

    private void nextEim() {
        byte next = (byte) (w[Tables.R_EIM_INDEX] + 1);
        w[Tables.R_EIM_INDEX] = next < w[Tables.R_EIM_COUNT] ? next : 0;
    }

    /** Sets the delay to this many seconds, at least 1. */
    private void delay(short seconds) {
        if (seconds < 1) {
            seconds = 1;
        }
        w[Tables.R_DELAY] = (byte) (seconds / 3600);
        w[(short) (Tables.R_DELAY + 1)] = (byte) (seconds % 3600 / 60);
        w[(short) (Tables.R_DELAY + 2)] = (byte) (seconds % 60);
    }

    private void delayMinutes(short minutes) {
        w[Tables.R_DELAY] = (byte) (minutes / 60);
        w[(short) (Tables.R_DELAY + 1)] = (byte) (minutes % 60);
        w[(short) (Tables.R_DELAY + 2)] = 0;
    }

    private void delayBackoff() {
        short most = get16(Tables.R_BACKOFF_MAX);
        short seconds = get16(Tables.R_BACKOFF);
        for (byte n = 1; n < w[Tables.R_FAILS] && seconds < most; n++) {
            if (seconds > (short) (most - seconds)) {
                seconds = most;
            } else {
                seconds += seconds;
            }
        }
        if (seconds > most) {
            seconds = most;
        }
        delay((short) (seconds - spread((short) (seconds / 4))));
    }

    /** A part of this number that depends on the EID: after an outage, cards don't come back together. */
    private short spread(short n) {
        short share = 0;
        for (short i = 0; i < w[Tables.R_EID_LEN]; i++) {
            share = (short) ((short) (share * 31 + (w[(short) (Tables.R_EID + i)] & 0xFF)) % Tables.SHARES);
        }
        short whole = (short) (n / Tables.SHARES * share);
        return (short) (whole + (short) (n % Tables.SHARES * share) / Tables.SHARES);
    }

    /** Without a timer, STATUS commands are counted: one for each 30 seconds of the delay. */
    private void timerRefused() {
        short minutes = (short) (w[Tables.R_DELAY] * 60 + w[(short) (Tables.R_DELAY + 1)]);
        short ticks = (short) (minutes * (60 / Tables.TICK_SECONDS));
        ticks += (short) (w[(short) (Tables.R_DELAY + 2)] / Tables.TICK_SECONDS);
        w[Tables.R_NO_TIMER] = 1;
        w[Tables.R_TICKS] = ticks < 127 ? (byte) ticks : 127;
    }

    /** Copies registers to an array; gives the end. */
    short copyOut(short register, byte[] to, short offset, short length) {
        return Util.arrayCopyNonAtomic(w, register, to, offset, length);
    }
}
