package ipae.applet;

import ipae.es10.Es10Port;
import javacard.framework.Util;

/**
 * Indirect profile download (SGP.32 3.2.3.2): how the eIM's answers become ES10b commands. Nothing is held
 * whole but a certificate where the hash of the confirmation code must go before it and comes after it.
 */
abstract class Download extends Request {
    Download(Es10Port port) {
        super(port);
    }

    final boolean bodyIsComplete() {
        return get16(Tables.R_BODY_LEFT) == 0 && get16(Tables.R_BODY_KILO) == 0;
    }

    /** Whether the eUICC's answer is measured and what came of it is all in the receive buffer. */
    final boolean isHeld() {
        return w[Tables.R_BLOCK] == 1 && get16(Tables.R_LEN1) >= get16(Tables.R_RX_LEN);
    }

    /** Takes the activation code apart: format, SM-DP+ address, matchingId. */
    final byte beginDownload() {
        w[Tables.R_RTID_LEN] = 0;
        w[Tables.R_CHALLENGE_LEN] = 0;
        w[Tables.R_DP_LEN] = 0;
        w[Tables.R_MID_AT] = 0;
        w[Tables.R_MID_LEN] = 0;
        if (w[Tables.R_KIND] == Tables.KIND_TRIGGER) {
            // Address and matchingId are the eIM's business.
            return Tables.EV_START;
        }
        short start = Tables.R_AC;
        short end = (short) (start + (w[Tables.R_AC_LEN] & 0xFF));
        if (end < (short) (start + 3) || w[start] != Tables.AC_FORMAT
                || w[(short) (start + 1)] != Tables.AC_DELIMITER) {
            return Tables.EV_FAIL;
        }
        short at = findDelimiter((short) (start + 2), end);
        short address = (short) (at - start - 2);
        if (address == 0 || address > Tables.DP_MAX) {
            return Tables.EV_FAIL;
        }
        w[Tables.R_DP_LEN] = (byte) address;
        if (at < end) {
            at++;
        }
        w[Tables.R_MID_AT] = (byte) (at - start);
        w[Tables.R_MID_LEN] = (byte) (findDelimiter(at, end) - at);
        return Tables.EV_START;
    }

    private short findDelimiter(short at, short end) {
        while (at < end && w[at] != Tables.AC_DELIMITER) {
            at++;
        }
        return at;
    }

    /** Bytes inside of ctxParamsForCommonAuthentication. */
    private short contextInside() {
        short id = (short) (w[Tables.R_MID_LEN] & 0xFF);
        if (id > 0) {
            id = objectLength(id);
        }
        return (short) (id + Tables.DEVICE_INFO.length);
    }

    private void appendContext() {
        append((byte) 0xA0);
        appendLength(contextInside());
        short id = (short) (w[Tables.R_MID_LEN] & 0xFF);
        if (id > 0) {
            append((byte) 0x80);
            appendLength(id);
            append(w, (short) (Tables.R_AC + (w[Tables.R_MID_AT] & 0xFF)), id);
        }
        append(Tables.DEVICE_INFO);
    }

    /** The head of a certificate has come: writes the ES10 command's own head. */
    final byte sizeCommand(short len) {
        short kilo = get16(Tables.R_BODY_KILO);
        if (kilo > Tables.KILO_MAX) {
            return Tables.OP_BAD;
        }
        short tail = (short) (kilo * 1000 + get16(Tables.R_BODY_LEFT) - len);
        if (tail < 0) {
            return Tables.OP_BAD;
        }
        short header = w[Tables.R_SC_HEADER];
        short end = get16(Tables.R_SEG_LEN);
        boolean initiating = w[Tables.R_TX_KIND] == Tables.TX_INITIATE;
        short total = (short) (end - Tables.COMMAND_HEAD + len);
        byte op = Tables.OP_KEEP;
        w[Tables.R_SC_NODE] = Tables.N_REST;
        if (initiating) {
            if (w[Tables.R_DP_LEN] == 0 && tail > 0) {
                // The matchingId follows, and nothing else: its size is known before it came.
                if (tail < 2 || tail > Tables.MATCHING_MAX) {
                    return Tables.OP_BAD;
                }
                w[Tables.R_MID_LEN] = (byte) (tail - 2);
                w[Tables.R_SC_NODE] = Tables.N_MATCHING;
            }
            total += objectLength(contextInside());
        } else if (tail == Tables.HASH_OBJECT) {
            if ((short) (header + len) > Tables.HOLD) {
                return Tables.OP_BAD;
            }
            end -= header;
            Util.arrayCopyNonAtomic(seg, end, hold, (short) 0, header);
            put16(Tables.R_HOLD_LEN, header);
            total += Tables.HASH_OBJECT;
            op = Tables.OP_HOLD;
            w[Tables.R_SC_NODE] = Tables.N_HASH;
        }
        if (total < 0 || total > Tables.MEASURE_MAX) {
            return Tables.OP_BAD;
        }
        short spare = (short) (3 - lengthLength(total));
        short moved = (short) (end - Tables.COMMAND_HEAD);
        Util.arrayCopyNonAtomic(
                seg, Tables.COMMAND_HEAD, seg, (short) (Tables.COMMAND_HEAD - spare), moved);
        put16(Tables.R_SEG_LEN, (short) 0);
        append((byte) 0xBF);
        append(initiating ? (byte) 0x38 : (byte) 0x21);
        appendLength(total);
        put16(Tables.R_SEG_LEN, (short) (end - spare));
        w[Tables.R_SIZED] = 1;
        return op;
    }

    /** A byte of a certificate that is held back. */
    final void holdByte(byte b) {
        short at = get16(Tables.R_HOLD_LEN);
        hold[at] = b;
        put16(Tables.R_HOLD_LEN, (short) (at + 1));
    }

    /** The answer to a step of a download is complete: gives the eUICC what is left of its command. */
    final byte stepDone() {
        byte kind = w[Tables.R_TX_KIND];
        if (w[Tables.R_LAST] == 1 || w[Tables.R_SIZED] == 0) {
            return unfit();
        }
        // The matchingId must be as long as the command was made for.
        boolean matching = w[Tables.R_DP_LEN] > 0 || w[Tables.R_MID_LEN] == 0
                || w[Tables.R_MID_LEN] == w[Tables.R_AC_LEN];
        if (kind == Tables.TX_INITIATE && w[Tables.R_RTID_LEN] > 0 && matching) {
            if (room() < objectLength(contextInside())) {
                return Tables.EV_RX_BLOCK;
            }
            appendContext();
            return Tables.EV_RX_LAST;
        }
        if (kind == Tables.TX_AUTHENTICATE) {
            short pos = get16(Tables.R_HOLD_POS);
            short n = least(room(), (short) (get16(Tables.R_HOLD_LEN) - pos));
            append(hold, pos, n);
            pos += n;
            put16(Tables.R_HOLD_POS, pos);
            return pos < get16(Tables.R_HOLD_LEN) ? Tables.EV_RX_BLOCK : Tables.EV_RX_LAST;
        }
        return unfit();
    }

    /** The eIM's answer can't be given to the eUICC. */
    final byte unfit() {
        w[Tables.R_DETAIL] = w[Tables.R_TX_KIND];
        w[(short) (Tables.R_DETAIL + 1)] = w[Tables.R_SC_STEP];
        return Tables.EV_RX_UNFIT;
    }

    /**
     * Whether the block buffer must be given to the eUICC before more can be taken. Where a head may follow,
     * there is room for one.
     */
    final boolean blockIsFull() {
        short length = get16(Tables.R_SEG_LEN);
        if (w[Tables.R_SC_RELAY] == 1 || scanInValue()) {
            return length == Tables.BUFFER;
        }
        return scanAtTag() && w[Tables.R_SC_NODE] != Tables.N_REST
                && length > (short) (Tables.BUFFER - Tables.HEADER_MAX);
    }

    /** Gets ready for the eUICC's answer to a step of a download. */
    final void beginReading() {
        w[Tables.R_BLOCK] = 0;
        put16(Tables.R_LEN1, (short) 0);
        switch (w[Tables.R_TX_KIND]) {
            case Tables.TX_INITIATE:
                beginScan(Tables.N_AUTHENTICATED);
                break;
            case Tables.TX_AUTHENTICATE:
                beginScan(Tables.N_PREPARED);
                break;
            default:
                beginScan(Tables.N_LOADED);
                break;
        }
    }
}
