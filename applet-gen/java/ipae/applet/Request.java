package ipae.applet;

import ipae.es10.Es10Port;
import javacard.framework.Util;

/**
 * Requests to the eIM: an ESipa message in HTTP, produced block by block. A result is never held: its
 * size is measured first, then it flows from the eUICC to SEND DATA through the block buffer.
 */
abstract class Request extends Terminal {
    private static final short EID_OBJECT = 18;
    private static final byte UNKNOWN_PACKAGE = 2;
    private static final byte UNDEFINED_ERROR = 127;

    Request(Es10Port port) {
        super(port);
    }

    final void prepareRequest(byte what) {
        w[Tables.R_TX_KIND] = what;
        w[Tables.R_TX_PHASE] = Tables.PHASE_HEAD;
        put16(Tables.R_SEG_LEN, (short) 0);
    }

    private static short lengthLength(short n) {
        if (n < 128) {
            return 1;
        }
        return n < 256 ? (short) 2 : (short) 3;
    }

    private static short objectLength(short n) {
        return (short) (1 + lengthLength(n) + n);
    }

    private short room() {
        return (short) (Tables.BUFFER - get16(Tables.R_SEG_LEN));
    }

    final void append(byte[] from, short offset, short length) {
        short at = get16(Tables.R_SEG_LEN);
        if (length > (short) (Tables.BUFFER - at)) {
            length = (short) (Tables.BUFFER - at);
        }
        put16(Tables.R_SEG_LEN, Util.arrayCopyNonAtomic(from, offset, seg, at, length));
    }

    private void append(byte[] template) {
        append(template, (short) 0, (short) template.length);
    }

    private void append(byte b) {
        short at = get16(Tables.R_SEG_LEN);
        if (at < Tables.BUFFER) {
            seg[at] = b;
            put16(Tables.R_SEG_LEN, (short) (at + 1));
        }
    }

    private void appendLength(short n) {
        if (n >= 256) {
            append((byte) 0x82);
            append((byte) (n >> 8));
        } else if (n >= 128) {
            append((byte) 0x81);
        }
        append((byte) n);
    }

    private void appendDecimal(short n) {
        boolean leading = true;
        for (short divisor = 10000; divisor > 0; divisor /= 10) {
            short digit = (short) ((short) (n / divisor) % 10);
            if (digit != 0 || divisor == 1 || !leading) {
                leading = false;
                append((byte) ('0' + digit));
            }
        }
    }

    private short errorLength() {
        short tid = w[Tables.R_TID_LEN];
        return tid == 0 ? (short) 3 : (short) (5 + tid);
    }

    /** Bytes of the message after the EID's data object. */
    private short contentLength() {
        switch (w[Tables.R_TX_KIND]) {
            case Tables.TX_POLL:
                return 0;
            case Tables.TX_RESULT:
                short both = (short) (get16(Tables.R_LEN1) + get16(Tables.R_LEN2));
                return get16(Tables.R_LEN2) == 0 ? both : objectLength(both);
            case Tables.TX_ERROR:
                return get16(Tables.R_RX_LEN);
            default:
                return objectLength(errorLength());
        }
    }

    private void appendHead() {
        append(Tables.HTTP_POST);
        append(w, Tables.R_FQDN, w[Tables.R_FQDN_LEN]);
        append(Tables.HTTP_FIELDS);
        appendDecimal((short) (1 + objectLength((short) (EID_OBJECT + contentLength()))));
        append(Tables.HTTP_END);
    }

    private void appendPrefix() {
        byte kind = w[Tables.R_TX_KIND];
        append((byte) 0xBF);
        append(kind == Tables.TX_POLL ? (byte) 0x4F : (byte) 0x50);
        appendLength((short) (EID_OBJECT + contentLength()));
        append((byte) 0x5A);
        append((byte) 16);
        append(w, Tables.R_EID, (short) 16);
        if (kind == Tables.TX_RESULT && get16(Tables.R_LEN2) > 0) {
            append((byte) 0x30);
            appendLength((short) (get16(Tables.R_LEN1) + get16(Tables.R_LEN2)));
        } else if (kind == Tables.TX_UNKNOWN_PACKAGE || kind == Tables.TX_UNDEFINED) {
            byte tid = w[Tables.R_TID_LEN];
            append((byte) 0xA0);
            appendLength(errorLength());
            if (tid > 0) {
                append((byte) 0x80);
                append(tid);
                append(w, Tables.R_TID, tid);
            }
            append((byte) 0x02);
            append((byte) 0x01);
            append(kind == Tables.TX_UNKNOWN_PACKAGE ? UNKNOWN_PACKAGE : UNDEFINED_ERROR);
        }
    }

    private byte beginPart(byte phase, short offset, short length) {
        put16(Tables.R_SKIP, get16(offset));
        put16(Tables.R_LEFT, get16(length));
        w[Tables.R_TX_PHASE] = phase;
        return Tables.EV_TX_QUERY;
    }

    /** Produces parts of the request until the block buffer must be sent or filled from elsewhere. */
    final byte produce() {
        while (true) {
            byte phase = w[Tables.R_TX_PHASE];
            switch (phase) {
                case Tables.PHASE_HEAD:
                    appendHead();
                    w[Tables.R_TX_PHASE] = Tables.PHASE_PREFIX;
                    break;
                case Tables.PHASE_PREFIX:
                    if (room() < Tables.PREFIX_MAX) {
                        return Tables.EV_TX_SEND;
                    }
                    appendPrefix();
                    put16(Tables.R_RX_POS, (short) 0);
                    if (w[Tables.R_TX_KIND] == Tables.TX_RESULT) {
                        w[Tables.R_TX_PHASE] = Tables.PHASE_ASK1;
                    } else if (w[Tables.R_TX_KIND] == Tables.TX_ERROR) {
                        w[Tables.R_TX_PHASE] = Tables.PHASE_KEPT;
                    } else {
                        w[Tables.R_TX_PHASE] = Tables.PHASE_FLUSH;
                    }
                    break;
                case Tables.PHASE_ASK1:
                    return beginPart(Tables.PHASE_PART1, Tables.R_OFF1, Tables.R_LEN1);
                case Tables.PHASE_ASK2:
                    return beginPart(Tables.PHASE_PART2, Tables.R_OFF2, Tables.R_LEN2);
                case Tables.PHASE_PART1:
                case Tables.PHASE_PART2:
                    if (get16(Tables.R_LEFT) > 0) {
                        return room() == 0 ? Tables.EV_TX_SEND : Tables.EV_TX_READ;
                    }
                    if (phase == Tables.PHASE_PART1 && get16(Tables.R_LEN2) > 0) {
                        w[Tables.R_TX_PHASE] = Tables.PHASE_ASK2;
                    } else {
                        w[Tables.R_TX_PHASE] = Tables.PHASE_FLUSH;
                    }
                    break;
                case Tables.PHASE_KEPT:
                    short pos = get16(Tables.R_RX_POS);
                    short n = (short) (get16(Tables.R_RX_LEN) - pos);
                    if (n == 0) {
                        w[Tables.R_TX_PHASE] = Tables.PHASE_FLUSH;
                        break;
                    }
                    if (n > room()) {
                        n = room();
                    }
                    if (n == 0) {
                        return Tables.EV_TX_SEND;
                    }
                    append(rx, pos, n);
                    put16(Tables.R_RX_POS, (short) (pos + n));
                    break;
                case Tables.PHASE_FLUSH:
                    w[Tables.R_TX_PHASE] = Tables.PHASE_DONE;
                    if (get16(Tables.R_SEG_LEN) > 0) {
                        return Tables.EV_TX_SEND;
                    }
                    break;
                default:
                    return Tables.EV_TX_DONE;
            }
        }
    }

    private static short least(short a, short b) {
        return a < b ? a : b;
    }

    /** Reads a piece of the eUICC's answer: what must be skipped first, then what fits. */
    final byte readPart() {
        short skip = get16(Tables.R_SKIP);
        short most = skip > 0 ? least(skip, Tables.BUFFER) : least(get16(Tables.R_LEFT), room());
        return read(most);
    }

    /** Takes the piece that was read. */
    final byte takePart() {
        short n = get16(Tables.R_READ);
        short skip = get16(Tables.R_SKIP);
        short wanted = skip > 0 ? skip : least(get16(Tables.R_LEFT), room());
        if (n == 0 || n > wanted) {
            put16(Tables.R_DETAIL, w[Tables.R_TX_PHASE]);
            return Tables.EV_SCAN_BAD;
        }
        if (skip > 0) {
            put16(Tables.R_SKIP, (short) (skip - n));
            return Tables.EV_TX_READ;
        }
        short at = get16(Tables.R_SEG_LEN);
        copyWindow(seg, at, n);
        put16(Tables.R_SEG_LEN, (short) (at + n));
        put16(Tables.R_LEFT, (short) (get16(Tables.R_LEFT) - n));
        return Tables.EV_NEXT;
    }

    /** Gets ready for the answer to the request. */
    final void beginAnswer() {
        w[Tables.R_HTTP] = Tables.HTTP_STATUS;
        put16(Tables.R_HTTP_POS, (short) 0);
        put16(Tables.R_HTTP_CODE, (short) 0);
        w[Tables.R_HTTP_HAS_LENGTH] = 0;
        put16(Tables.R_BODY_LEFT, (short) 0);
        put16(Tables.R_SEG_LEN, (short) 0);
        put16(Tables.R_RX_LEN, (short) 0);
        put16(Tables.R_RX_POS, (short) 0);
        w[Tables.R_ACKS] = 0;
        w[Tables.R_BLOCK] = 0;
        w[Tables.R_TID_LEN] = 0;
        beginScan(w[Tables.R_TX_KIND] == Tables.TX_POLL ? Tables.N_POLL : Tables.N_RESULT);
    }
}
