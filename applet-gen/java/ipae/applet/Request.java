package ipae.applet;

import ipae.es10.Es10Port;
import javacard.framework.Util;

/**
 * Requests to the eIM: an ESipa message in HTTP, produced block by block. A result is never held: its
 * size is measured first, then it flows from the eUICC to SEND DATA through the block buffer.
 */
abstract class Request extends Data {
    private static final short EID_OBJECT = 18;
    private static final byte UNKNOWN_PACKAGE = 2;
    private static final byte UNDEFINED_ERROR = 127;
    private static final byte INCORRECT_TAG_LIST = 1;

    Request(Es10Port port) {
        super(port);
    }

    final void prepareRequest(byte what) {
        w[Tables.R_TX_KIND] = what;
        w[Tables.R_TX_PHASE] = Tables.PHASE_HEAD;
        put16(Tables.R_SEG_LEN, (short) 0);
    }

    static short lengthLength(short n) {
        if (n < 128) {
            return 1;
        }
        return n < 256 ? (short) 2 : (short) 3;
    }

    static short objectLength(short n) {
        return (short) (1 + lengthLength(n) + n);
    }

    final short room() {
        return (short) (Tables.BUFFER - get16(Tables.R_SEG_LEN));
    }

    final void append(byte[] from, short offset, short length) {
        short at = get16(Tables.R_SEG_LEN);
        if (length > (short) (Tables.BUFFER - at)) {
            length = (short) (Tables.BUFFER - at);
        }
        put16(Tables.R_SEG_LEN, Util.arrayCopyNonAtomic(from, offset, seg, at, length));
    }

    final void append(byte[] template) {
        append(template, (short) 0, (short) template.length);
    }

    final void append(byte b) {
        short at = get16(Tables.R_SEG_LEN);
        if (at < Tables.BUFFER) {
            seg[at] = b;
            put16(Tables.R_SEG_LEN, (short) (at + 1));
        }
    }

    final void appendLength(short n) {
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

    /** Second byte of the message's tag; the first is BF. */
    private byte messageTag() {
        return Tables.MESSAGE_TAGS[w[Tables.R_TX_KIND]];
    }

    /** Bytes of the EID's data object; messages of a download's session have none. */
    private short eidLength() {
        byte tag = messageTag();
        return tag == 0x4F || tag == 0x50 ? EID_OBJECT : (short) 0;
    }

    /** Bytes of a data object of one register with its length in front; none if it is empty. */
    final short fieldLength(short register) {
        short length = w[register];
        return length == 0 ? length : (short) (2 + length);
    }

    final void appendField(byte tag, short register) {
        byte length = w[register];
        if (length > 0) {
            append(tag);
            append(length);
            append(w, (short) (register + 1), length);
        }
    }

    /** Bytes of the message after the EID's data object. */
    private short contentLength() {
        short length = get16(Tables.R_LEN1);
        short second = get16(Tables.R_LEN2);
        switch (w[Tables.R_TX_KIND]) {
            case Tables.TX_POLL:
                return 0;
            case Tables.TX_RESULT:
                return second == 0 ? length : objectLength((short) (length + second));
            case Tables.TX_ERROR:
                return get16(Tables.R_RX_LEN);
            case Tables.TX_INITIATE:
                length += fieldLength(Tables.R_CHALLENGE_LEN);
                if (w[Tables.R_DP_LEN] > 0) {
                    length += objectLength(w[Tables.R_DP_LEN]);
                }
                return (short) (length + fieldLength(Tables.R_TID_LEN));
            case Tables.TX_AUTHENTICATE:
            case Tables.TX_PACKAGE:
                return (short) (fieldLength(Tables.R_RTID_LEN) + length);
            case Tables.TX_CANCEL:
                return (short) (fieldLength(Tables.R_RTID_LEN) + objectLength(length));
            case Tables.TX_NOTICE:
                return objectLength(length);
            case Tables.TX_NOT_DOWNLOADED:
                return (short) (1 + objectLength(notDownloadedLength()));
            case Tables.TX_DATA:
                return (short) (1 + objectLength(objectLength(dataInside())));
            case Tables.TX_DATA_ERROR:
                length = (short) (3 + fieldLength(Tables.R_TID_LEN));
                return (short) (1 + objectLength(objectLength(length)));
            default:
                return objectLength((short) (3 + fieldLength(Tables.R_TID_LEN)));
        }
    }

    /** Bytes inside of ProfileDownloadTriggerResult. */
    private short notDownloadedLength() {
        return (short) (fieldLength(Tables.R_TID_LEN) + Tables.DOWNLOAD_ERROR.length);
    }

    private void appendHead() {
        append(Tables.HTTP_POST);
        append(w, Tables.R_FQDN, w[Tables.R_FQDN_LEN]);
        append(Tables.HTTP_FIELDS);
        appendDecimal((short) (1 + objectLength((short) (eidLength() + contentLength()))));
        append(Tables.HTTP_END);
    }

    /** Most bytes of the body up to what flows from elsewhere. */
    private short prefixMax() {
        boolean initiating = w[Tables.R_TX_KIND] == Tables.TX_INITIATE;
        return initiating ? (short) (Tables.PREFIX_MAX + w[Tables.R_DP_LEN]) : Tables.PREFIX_MAX;
    }

    private void appendPrefix() {
        short length = get16(Tables.R_LEN1);
        append((byte) 0xBF);
        append(messageTag());
        appendLength((short) (eidLength() + contentLength()));
        if (eidLength() > 0) {
            appendField((byte) 0x5A, Tables.R_EID_LEN);
        }
        switch (w[Tables.R_TX_KIND]) {
            case Tables.TX_RESULT:
                if (get16(Tables.R_LEN2) > 0) {
                    append((byte) 0x30);
                    appendLength((short) (length + get16(Tables.R_LEN2)));
                }
                break;
            case Tables.TX_INITIATE:
                appendField((byte) 0x81, Tables.R_CHALLENGE_LEN);
                if (w[Tables.R_DP_LEN] > 0) {
                    append((byte) 0x83);
                    appendLength(w[Tables.R_DP_LEN]);
                    append(w, (short) (Tables.R_AC + 2), w[Tables.R_DP_LEN]);
                }
                break;
            case Tables.TX_AUTHENTICATE:
            case Tables.TX_PACKAGE:
                appendField((byte) 0x80, Tables.R_RTID_LEN);
                break;
            case Tables.TX_CANCEL:
                appendField((byte) 0x80, Tables.R_RTID_LEN);
                append((byte) 0xA1);
                appendLength(length);
                break;
            case Tables.TX_NOTICE:
                append((byte) 0xA0);
                appendLength(length);
                break;
            case Tables.TX_NOT_DOWNLOADED:
                append((byte) 0xBF);
                append((byte) 0x54);
                appendLength(notDownloadedLength());
                appendField((byte) 0x82, Tables.R_TID_LEN);
                append(Tables.DOWNLOAD_ERROR);
                break;
            case Tables.TX_DATA:
                appendDataHead((byte) 0xA0, dataInside());
                break;
            case Tables.TX_DATA_ERROR:
                appendDataHead((byte) 0xA1, (short) (3 + fieldLength(Tables.R_TID_LEN)));
                appendField((byte) 0x80, Tables.R_TID_LEN);
                append((byte) 0x02);
                append((byte) 0x01);
                append(INCORRECT_TAG_LIST);
                break;
            case Tables.TX_UNKNOWN_PACKAGE:
            case Tables.TX_UNDEFINED:
                append((byte) 0xA0);
                appendLength((short) (3 + fieldLength(Tables.R_TID_LEN)));
                appendField((byte) 0x80, Tables.R_TID_LEN);
                append((byte) 0x02);
                append((byte) 0x01);
                append(w[Tables.R_TX_KIND] == Tables.TX_UNKNOWN_PACKAGE ? UNKNOWN_PACKAGE : UNDEFINED_ERROR);
                break;
            default:
                break;
        }
    }

    /** The head of IpaEuiccDataResponse and of its alternative. */
    private void appendDataHead(byte tag, short length) {
        append((byte) 0xBF);
        append((byte) 0x52);
        appendLength(objectLength(length));
        append(tag);
        appendLength(length);
    }

    /** The phase after the beginning of the body. */
    private byte phaseAfterPrefix() {
        switch (w[Tables.R_TX_KIND]) {
            case Tables.TX_RESULT:
            case Tables.TX_INITIATE:
            case Tables.TX_NOTICE:
                return Tables.PHASE_ASK1;
            case Tables.TX_AUTHENTICATE:
            case Tables.TX_PACKAGE:
            case Tables.TX_CANCEL:
                put16(Tables.R_SKIP, (short) 0);
                put16(Tables.R_LEFT, (short) (get16(Tables.R_LEN1) - get16(Tables.R_RX_LEN)));
                return Tables.PHASE_KEPT;
            case Tables.TX_ERROR:
                return Tables.PHASE_KEPT;
            case Tables.TX_DATA:
                w[Tables.R_PART] = 0;
                return Tables.PHASE_ASK_DATA;
            default:
                return Tables.PHASE_FLUSH;
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
                    if (room() < prefixMax()) {
                        return Tables.EV_TX_SEND;
                    }
                    appendPrefix();
                    put16(Tables.R_RX_POS, (short) 0);
                    put16(Tables.R_LEFT, (short) 0);
                    w[Tables.R_TX_PHASE] = phaseAfterPrefix();
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
                    if (w[Tables.R_TX_KIND] == Tables.TX_RESULT && phase == Tables.PHASE_PART1
                            && get16(Tables.R_LEN2) > 0) {
                        w[Tables.R_TX_PHASE] = Tables.PHASE_ASK2;
                    } else {
                        w[Tables.R_TX_PHASE] = Tables.PHASE_TAIL;
                    }
                    break;
                case Tables.PHASE_KEPT:
                    short pos = get16(Tables.R_RX_POS);
                    short n = (short) (get16(Tables.R_RX_LEN) - pos);
                    if (n == 0) {
                        boolean rest = get16(Tables.R_LEFT) > 0;
                        w[Tables.R_TX_PHASE] = rest ? Tables.PHASE_PART1 : Tables.PHASE_TAIL;
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
                case Tables.PHASE_ASK_DATA:
                    if (beginDataPart()) {
                        w[Tables.R_TX_PHASE] = Tables.PHASE_DATA;
                        return Tables.EV_TX_QUERY;
                    }
                    w[Tables.R_TX_PHASE] = Tables.PHASE_TAIL;
                    break;
                case Tables.PHASE_DATA:
                    if (get16(Tables.R_LEFT) > 0) {
                        return room() == 0 ? Tables.EV_TX_SEND : Tables.EV_TX_READ;
                    }
                    w[Tables.R_PART]++;
                    w[Tables.R_TX_PHASE] = Tables.PHASE_ASK_DATA;
                    break;
                case Tables.PHASE_TAIL:
                    if (w[Tables.R_TX_KIND] == Tables.TX_DATA) {
                        if (room() < Tables.DATA_TAIL) {
                            return Tables.EV_TX_SEND;
                        }
                        appendDataTail();
                    }
                    if (w[Tables.R_TX_KIND] == Tables.TX_INITIATE) {
                        if (room() < fieldLength(Tables.R_TID_LEN)) {
                            return Tables.EV_TX_SEND;
                        }
                        appendField((byte) 0x82, Tables.R_TID_LEN);
                    }
                    w[Tables.R_TX_PHASE] = Tables.PHASE_FLUSH;
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

    static short least(short a, short b) {
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
        retag(at);
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
        put16(Tables.R_BODY_KILO, (short) 0);
        put16(Tables.R_RX_LEN, (short) 0);
        put16(Tables.R_RX_POS, (short) 0);
        put16(Tables.R_HOLD_LEN, (short) 0);
        put16(Tables.R_HOLD_POS, (short) 0);
        w[Tables.R_BLOCK] = 0;
        w[Tables.R_LAST] = 0;
        w[Tables.R_ENDED] = 0;
        byte kind = w[Tables.R_TX_KIND];
        w[Tables.R_SIZED] = kind == Tables.TX_PACKAGE ? (byte) 1 : (byte) 0;
        boolean begun = kind == Tables.TX_INITIATE || kind == Tables.TX_AUTHENTICATE;
        put16(Tables.R_SEG_LEN, begun ? Tables.COMMAND_HEAD : (short) 0);
        if (kind != Tables.TX_NOTICE) {
            w[Tables.R_ACKS] = 0;
        }
        if (kind == Tables.TX_POLL) {
            w[Tables.R_TID_LEN] = 0;
            w[Tables.R_AC_LEN] = 0;
            w[Tables.R_TAGS_LEN] = 0;
        }
        beginScan(answerNode(kind));
    }

    private static byte answerNode(byte kind) {
        switch (kind) {
            case Tables.TX_POLL:
                return Tables.N_POLL;
            case Tables.TX_INITIATE:
                return Tables.N_INITIATE;
            case Tables.TX_AUTHENTICATE:
                return Tables.N_AUTHENTICATE;
            case Tables.TX_PACKAGE:
                return Tables.N_PACKAGE;
            case Tables.TX_CANCEL:
                return Tables.N_CANCEL;
            case Tables.TX_NOTICE:
                return Tables.N_NOTIFIED;
            default:
                return Tables.N_RESULT;
        }
    }
}
