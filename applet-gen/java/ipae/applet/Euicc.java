package ipae.applet;

import ipae.es10.Es10Port;
import javacard.framework.JCSystem;
import javacard.framework.Util;
import uicc.system.UICCPlatform;

/**
 * Talks to the eUICC by way of the Es10Port. This is the only class that knows the port: for an EUM's
 * own interface, replace it.
 */
abstract class Euicc extends Scanner {
    private final Es10Port port;

    Euicc(Es10Port port) {
        this.port = port;
    }

    static byte[] window() {
        return UICCPlatform.getTheVolatileByteArray();
    }

    /** Sends a block; gives ES_OK or ES_ERROR and notes the status word. */
    private byte store(byte p1, byte p2, byte[] data, short offset, short length) {
        Util.arrayCopyNonAtomic(data, offset, window(), (short) 0, length);
        return stored(port.storeData(p1, p2, length));
    }

    private byte stored(short sw) {
        put16(Tables.R_DETAIL, sw);
        byte sw1 = (byte) (sw >> 8);
        boolean ok = sw == Tables.SW_OK || sw1 == (byte) 0x61 || sw1 == (byte) 0x91;
        return ok ? Tables.EV_ES_OK : Tables.EV_ES_ERROR;
    }

    final byte command(byte[] template) {
        return store(Tables.STORE_LAST, (byte) 0, template, (short) 0, (short) template.length);
    }

    /** Sends a query. */
    final byte ask(byte query) {
        w[Tables.R_QUERY] = query;
        switch (query) {
            case Tables.QUERY_EID:
                beginScan(Tables.N_EID);
                return command(Tables.ES10_EID);
            case Tables.QUERY_EIM:
                w[Tables.R_EIM_COUNT] = 0;
                w[Tables.R_FQDN_LEN] = 0;
                beginScan(Tables.N_EIM);
                return command(Tables.ES10_EIM);
            case Tables.QUERY_RESULTS:
                put16(Tables.R_LEN1, (short) 0);
                put16(Tables.R_LEN2, (short) 0);
                beginScan(Tables.N_RESULTS);
                return command(Tables.ES10_RESULTS);
            case Tables.QUERY_NOTIFICATIONS:
                beginScan(Tables.N_NOTIFICATIONS);
                return command(Tables.ES10_NOTIFICATIONS);
            case Tables.QUERY_NOTICE:
                put16(Tables.R_LEN1, (short) 0);
                w[Tables.R_ACKS] = 0;
                beginScan(Tables.N_NOTICE);
                return command(Tables.ES10_NOTIFICATIONS);
            case Tables.QUERY_INFO:
                beginScan(Tables.N_INFO);
                return command(Tables.ES10_INFO);
            case Tables.QUERY_CHALLENGE:
                beginScan(Tables.N_CHALLENGE);
                return command(Tables.ES10_CHALLENGE);
            case Tables.QUERY_IMMEDIATE:
                beginScan(Tables.N_IMMEDIATE);
                return command(Tables.ES10_IMMEDIATE);
            case Tables.QUERY_CANCEL:
                return cancel();
            default:
                beginScan(Tables.N_ROLLBACK);
                return command(Tables.ES10_ROLLBACK);
        }
    }

    /** Asks for the part of the request that comes next, but for IPA eUICC data. */
    final byte askOtherPart() {
        byte kind = w[Tables.R_TX_KIND];
        if (kind == Tables.TX_INITIATE) {
            return command(Tables.ES10_INFO);
        }
        boolean result = kind == Tables.TX_RESULT && w[Tables.R_TX_PHASE] == Tables.PHASE_PART1;
        return command(result ? Tables.ES10_RESULTS : Tables.ES10_NOTIFICATIONS);
    }

    /** ES10b.CancelSession: a package that wasn't loaded is another reason than any failure before it. */
    private byte cancel() {
        w[Tables.R_BLOCK] = 0;
        put16(Tables.R_LEN1, (short) 0);
        beginScan(Tables.N_CANCELLED);
        byte[] out = window();
        byte len = w[Tables.R_RTID_LEN];
        out[0] = (byte) 0xBF;
        out[1] = 0x41;
        out[2] = (byte) (5 + len);
        out[3] = (byte) 0x80;
        out[4] = len;
        short end = Util.arrayCopyNonAtomic(w, Tables.R_RTID, out, (short) 5, len);
        out[end] = (byte) 0x81;
        out[(short) (end + 1)] = 1;
        out[(short) (end + 2)] = w[Tables.R_TX_KIND] == Tables.TX_PACKAGE
                ? Tables.LOAD_BPP_EXECUTION_ERROR : Tables.UNDEFINED_REASON;
        return stored(port.storeData(Tables.STORE_LAST, (byte) 0, (short) (8 + len)));
    }

    /** Whether the request under way is a step of a download, whose answer goes to the eUICC. */
    final boolean isDownloading() {
        byte kind = w[Tables.R_TX_KIND];
        return kind == Tables.TX_INITIATE || kind == Tables.TX_AUTHENTICATE || kind == Tables.TX_PACKAGE;
    }

    /** Gives the block buffer to the eUICC. */
    final byte storeBlock(byte last) {
        w[Tables.R_LAST] = last;
        byte block = w[Tables.R_BLOCK];
        w[Tables.R_BLOCK]++;
        if (last == 0) {
            return store(Tables.STORE_MORE, block, seg, (short) 0, get16(Tables.R_SEG_LEN));
        }
        // From here on the eUICC may have a result.
        w[Tables.R_RESULTS_KNOWN] = 0;
        w[Tables.R_BLOCK] = 0;
        w[Tables.R_ENDED] = 0;
        if (!isDownloading()) {
            w[Tables.R_PKG] = 1;
            beginScan(Tables.N_LOAD);
        }
        return store(Tables.STORE_LAST, block, seg, (short) 0, get16(Tables.R_SEG_LEN));
    }

    /** Sends RemoveNotificationFromList for the first acknowledged entry (SGP.22 5.7.11). */
    final byte storeAck() {
        byte[] out = window();
        byte len = w[Tables.R_ACK];
        out[0] = (byte) 0xBF;
        out[1] = 0x30;
        out[2] = (byte) (2 + len);
        out[3] = (byte) 0x80;
        out[4] = len;
        Util.arrayCopyNonAtomic(w, (short) (Tables.R_ACK + 1), out, (short) 5, len);
        return stored(port.storeData(Tables.STORE_LAST, (byte) 0, (short) (5 + len)));
    }

    /** Forgets the first acknowledged entry. */
    final void dropAck() {
        short entry = 1 + Tables.ACK_LEN;
        short rest = (short) ((Tables.ACKS_MAX - 1) * entry);
        Util.arrayCopyNonAtomic(w, (short) (Tables.R_ACK + entry), w, Tables.R_ACK, rest);
        w[Tables.R_ACKS]--;
    }

    /** Reads up to so many bytes of the answer to the window. */
    final byte read(short most) {
        put16(Tables.R_READ, port.getResponse(most));
        return Tables.EV_ES_DATA;
    }

    final void copyWindow(byte[] to, short offset, short length) {
        Util.arrayCopyNonAtomic(window(), (short) 0, to, offset, length);
    }

    /** Goes through the piece of the answer that was read. */
    final byte scan() {
        short length = get16(Tables.R_READ);
        if (length == 0) {
            noteFound();
            // No answer at all is none.
            return scanAtTag() && get16(Tables.R_SC_TOTAL) > 0 ? Tables.EV_SCAN_DONE : Tables.EV_SCAN_BAD;
        }
        copyWindow(rx, (short) 0, length);
        put16(Tables.R_RX_LEN, length);
        if (w[Tables.R_BLOCK] >= 0 && w[Tables.R_BLOCK] < 127) {
            w[Tables.R_BLOCK]++;
        }
        for (short i = 0; i < length; i++) {
            scanByte(rx[i]);
        }
        if (scanBad()) {
            noteFound();
            return Tables.EV_SCAN_BAD;
        }
        return scanStopped() ? Tables.EV_SCAN_DONE : Tables.EV_SCAN_MORE;
    }

    private void noteFound() {
        w[Tables.R_DETAIL] = w[Tables.R_KIND];
        w[(short) (Tables.R_DETAIL + 1)] = (byte) (w[Tables.R_CODE] | w[Tables.R_CHANGED]);
    }

    static Es10Port find(byte[] aid) {
        javacard.framework.AID isdR = JCSystem.lookupAID(aid, (short) 0, (byte) aid.length);
        if (isdR == null) {
            return null;
        }
        return (Es10Port) JCSystem.getAppletShareableInterfaceObject(isdR, (byte) 0);
    }
}
