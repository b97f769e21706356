package ipae.applet;

import ipae.es10.Es10Port;
import javacard.framework.Util;

/** The eIM's answer: HTTP/1.1 and the ESipa message in it, and the address of the eIM. */
abstract class Answer extends Download {
    private static final byte MISMATCH = 127;
    /** Above this, a further decimal digit could overflow. */
    private static final short DECIMAL_MAX = (0x7FFF - 9) / 10;

    Answer(Es10Port port) {
        super(port);
    }

    /** Goes through the received bytes until a block is full, the answer is complete, or none are left. */
    final byte feed() {
        while (true) {
            if (w[Tables.R_HTTP] == Tables.HTTP_BODY) {
                short code = get16(Tables.R_HTTP_CODE);
                // HandleNotification has an answer without a body.
                boolean ok = code == Tables.HTTP_OK
                        || code == Tables.HTTP_NO_CONTENT && w[Tables.R_TX_KIND] == Tables.TX_NOTICE;
                if (!ok) {
                    put16(Tables.R_DETAIL, code);
                    return Tables.EV_RX_HTTP;
                }
                if (w[Tables.R_ENDED] == 1) {
                    return Tables.EV_RX_LAST;
                }
                if (bodyIsComplete()) {
                    return bodyDone();
                }
                if (blockIsFull()) {
                    // Before the size of the command is known, nothing of it can be given.
                    boolean sized = w[Tables.R_SIZED] == 1 || w[Tables.R_SC_RELAY] == 1;
                    return sized ? Tables.EV_RX_BLOCK : unfit();
                }
            }
            short pos = get16(Tables.R_RX_POS);
            if (pos >= get16(Tables.R_RX_LEN)) {
                break;
            }
            byte b = rx[pos];
            put16(Tables.R_RX_POS, (short) (pos + 1));
            if (w[Tables.R_HTTP] == Tables.HTTP_BODY) {
                bodyByte(b);
                if (scanBad()) {
                    return badAnswer();
                }
            } else {
                headerByte(b);
                if (w[Tables.R_HTTP] == Tables.HTTP_BAD) {
                    return badAnswer();
                }
            }
        }
        return w[Tables.R_AVAILABLE] == 0 ? Tables.EV_RX_WAIT : Tables.EV_RX_MORE;
    }

    private byte badAnswer() {
        w[Tables.R_DETAIL] = w[Tables.R_HTTP];
        w[(short) (Tables.R_DETAIL + 1)] = w[Tables.R_SC_STEP];
        return Tables.EV_RX_BAD;
    }

    /** Relay no more of the package. */
    final void dropPackage() {
        w[Tables.R_SC_RELAY] = 0;
        w[Tables.R_KIND] = Tables.KIND_REFUSED;
    }

    /**
     * A byte of the body. A header goes to the block buffer, and from there again at its end if the object
     * isn't for the eUICC.
     */
    private void bodyByte(byte b) {
        short left = get16(Tables.R_BODY_LEFT);
        if (left == 0) {
            put16(Tables.R_BODY_KILO, (short) (get16(Tables.R_BODY_KILO) - 1));
            left = 1000;
        }
        put16(Tables.R_BODY_LEFT, (short) (left - 1));
        boolean inHeader = scanInHeader();
        boolean inRest = w[Tables.R_SC_NODE] == Tables.N_REST;
        byte op = w[Tables.R_SC_OP];
        if (w[Tables.R_SC_RELAY] == 1 || (inHeader ? !inRest : keeps(op))) {
            append(b);
        } else if (!inHeader && op == Tables.OP_HOLD) {
            holdByte(b);
        }
        scanByte(b);
        if (inHeader && !inRest && w[Tables.R_SC_RELAY] == 0 && (scanAtTag() || !scanInHeader())) {
            op = w[Tables.R_SC_OP];
            if (!keeps(op) && op != Tables.OP_HOLD) {
                put16(Tables.R_SEG_LEN, (short) (get16(Tables.R_SEG_LEN) - w[Tables.R_SC_HEADER]));
            }
        }
    }

    /** The body is complete: what was it? */
    private byte bodyDone() {
        if (w[Tables.R_SC_RELAY] == 1) {
            return Tables.EV_RX_LAST;
        }
        byte found = w[Tables.R_KIND];
        if (found == Tables.KIND_REFUSED) {
            return Tables.EV_RX_REFUSED;
        }
        if (!scanAtTag()) {
            return badAnswer();
        }
        if (w[Tables.R_TX_KIND] == Tables.TX_NOTICE) {
            return Tables.EV_RX_TAKEN;
        }
        byte code = w[Tables.R_CODE];
        put16(Tables.R_DETAIL, (short) (code & 0xFF));
        switch (found) {
            case Tables.KIND_CODE:
                if (w[Tables.R_TX_KIND] == Tables.TX_POLL && code == Tables.NO_EIM_PACKAGE_AVAILABLE) {
                    return Tables.EV_RX_NONE;
                }
                return Tables.EV_RX_CODE;
            case Tables.KIND_ACKS:
                return w[Tables.R_ACKS] > 0 ? Tables.EV_RX_ACKS : Tables.EV_RX_EMPTY;
            case Tables.KIND_EMPTY:
                return Tables.EV_RX_EMPTY;
            case Tables.KIND_UNKNOWN:
                return Tables.EV_RX_UNKNOWN;
            case Tables.KIND_TRIGGER:
            case Tables.KIND_ORDERED:
                return Tables.EV_RX_TRIGGER;
            case Tables.KIND_DATA:
                return Tables.EV_RX_DATA;
            case Tables.KIND_STEP:
                return stepDone();
            default:
                return badAnswer();
        }
    }

    /** A byte of the HTTP header: status line, then fields. */
    private void headerByte(byte b) {
        short pos = get16(Tables.R_HTTP_POS);
        if (pos >= Tables.HTTP_MAX) {
            w[Tables.R_HTTP] = Tables.HTTP_BAD;
            return;
        }
        put16(Tables.R_HTTP_POS, (short) (pos + 1));
        switch (w[Tables.R_HTTP]) {
            case Tables.HTTP_STATUS:
                statusByte(pos, b);
                break;
            case Tables.HTTP_NAME:
                nameByte(b);
                break;
            case Tables.HTTP_LENGTH:
                lengthByte(b);
                break;
            default:
                if (b == '\n') {
                    beginLine();
                }
                break;
        }
    }

    private void beginLine() {
        w[Tables.R_HTTP] = Tables.HTTP_NAME;
        w[Tables.R_HTTP_M1] = 0;
        w[Tables.R_HTTP_M2] = 0;
    }

    private static boolean isDigit(byte b) {
        return b >= '0' && b <= '9';
    }

    private void statusByte(short pos, byte b) {
        boolean fits = true;
        if (pos < 9) {
            fits = pos == 7 || b == Tables.HTTP_VERSION[pos];
        } else if (pos < 12) {
            fits = isDigit(b);
            if (fits) {
                put16(Tables.R_HTTP_CODE, (short) (get16(Tables.R_HTTP_CODE) * 10 + b - '0'));
            }
        }
        if (!fits) {
            w[Tables.R_HTTP] = Tables.HTTP_BAD;
        } else if (b == '\n') {
            if (pos < 12) {
                w[Tables.R_HTTP] = Tables.HTTP_BAD;
            } else {
                beginLine();
            }
        }
    }

    private void lengthByte(byte b) {
        if (isDigit(b)) {
            short n = (short) (get16(Tables.R_BODY_LEFT) * 10 + b - '0');
            short kilo = (short) (get16(Tables.R_BODY_KILO) * 10 + n / 1000);
            if (kilo > Tables.BODY_KILO_MAX) {
                w[Tables.R_HTTP] = Tables.HTTP_BAD;
                return;
            }
            put16(Tables.R_BODY_LEFT, (short) (n % 1000));
            put16(Tables.R_BODY_KILO, kilo);
            w[Tables.R_HTTP_HAS_LENGTH] = 1;
        } else if (b == '\n') {
            beginLine();
        } else if (b != ' ' && b != '\r') {
            w[Tables.R_HTTP] = Tables.HTTP_BAD;
        }
    }

    /** A byte of a field's name; matched against both names at once. */
    private void nameByte(byte b) {
        if (b == '\n') {
            // An empty line ends the header; others without a colon are passed over.
            if (w[Tables.R_HTTP_M1] == 0 && w[Tables.R_HTTP_M2] == 0) {
                boolean refused =
                        w[Tables.R_HTTP_HAS_LENGTH] == 0 && get16(Tables.R_HTTP_CODE) == Tables.HTTP_OK;
                w[Tables.R_HTTP] = refused ? Tables.HTTP_BAD : Tables.HTTP_BODY;
            } else {
                beginLine();
            }
            return;
        }
        if (b == '\r') {
            return;
        }
        matchName(Tables.R_HTTP_M1, Tables.HTTP_LENGTH_NAME, b);
        matchName(Tables.R_HTTP_M2, Tables.HTTP_CODING_NAME, b);
        if (w[Tables.R_HTTP_M1] == (byte) Tables.HTTP_LENGTH_NAME.length) {
            w[Tables.R_HTTP] = w[Tables.R_HTTP_HAS_LENGTH] == 1 ? Tables.HTTP_BAD : Tables.HTTP_LENGTH;
        } else if (w[Tables.R_HTTP_M2] == (byte) Tables.HTTP_CODING_NAME.length) {
            w[Tables.R_HTTP] = Tables.HTTP_BAD;
        } else if (b == ':') {
            w[Tables.R_HTTP] = Tables.HTTP_SKIP;
        }
    }

    private void matchName(short register, byte[] name, byte b) {
        byte at = w[register];
        if (b >= 'A' && b <= 'Z') {
            b += 0x20;
        }
        boolean fits = at < (byte) name.length && b == name[at];
        w[register] = fits ? (byte) (at + 1) : MISMATCH;
    }

    /** Finds the address and the port of the chosen eIM. */
    final byte resolveEim() {
        put16(Tables.R_DETAIL, w[Tables.R_EIM_COUNT]);
        if (w[Tables.R_EIM_INDEX] >= w[Tables.R_EIM_COUNT]) {
            // The list became shorter: start over with the first at the next session.
            w[Tables.R_EIM_INDEX] = 0;
        }
        short end = (short) (Tables.R_FQDN + w[Tables.R_FQDN_LEN]);
        short at = Tables.R_FQDN;
        if (at == end) {
            return Tables.EV_FAIL;
        }
        short numbers = 0;
        short digits = 0;
        short value = 0;
        boolean isAddress = true;
        for (; at < end && w[at] != ':'; at++) {
            byte b = w[at];
            if (isDigit(b) && digits < 3) {
                value = (short) (value * 10 + b - '0');
                digits++;
            } else if (b == '.' && digits > 0 && numbers < 3 && value < 256) {
                w[(short) (Tables.R_EIM_ADDRESS + numbers)] = (byte) value;
                numbers++;
                digits = 0;
                value = 0;
            } else {
                isAddress = false;
            }
        }
        if (isAddress && numbers == 3 && digits > 0 && value < 256) {
            w[(short) (Tables.R_EIM_ADDRESS + 3)] = (byte) value;
        } else {
            Util.arrayCopyNonAtomic(w, Tables.R_ADDRESS, w, Tables.R_EIM_ADDRESS, (short) 4);
            if (w[Tables.R_ADDRESS] == 0) {
                return Tables.EV_FAIL;
            }
        }
        short port = get16(Tables.R_PORT);
        if (at < end) {
            port = 0;
            for (at++; at < end; at++) {
                byte b = w[at];
                if (!isDigit(b) || port > DECIMAL_MAX) {
                    return Tables.EV_FAIL;
                }
                port = (short) (port * 10 + b - '0');
            }
        }
        put16(Tables.R_EIM_PORT, port);
        return Tables.EV_EIM_FOUND;
    }
}
