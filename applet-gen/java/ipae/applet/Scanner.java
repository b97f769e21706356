package ipae.applet;

/** The streaming scanner: goes through TLV data byte by byte by the rules of the grammar. */
abstract class Scanner extends Memory {
    private static final byte STEP_TAG = 0;
    private static final byte STEP_TAG2 = 1;
    private static final byte STEP_LENGTH = 2;
    private static final byte STEP_LENGTH3 = 3;
    private static final byte STEP_LENGTH2 = 4;
    private static final byte STEP_LENGTH1 = 5;
    private static final byte STEP_VALUE = 6;
    private static final byte STEP_STOPPED = 7;
    private static final byte STEP_BAD = 8;

    /** The head of a certificate has come: gives what to do with it, OP_BAD if nothing can be done. */
    abstract byte sizeCommand(short length);

    /** True if the object, or its head, goes to the block buffer. */
    static boolean keeps(byte op) {
        return op >= Tables.OP_KEEP && op <= Tables.OP_CERTIFICATE;
    }

    final boolean scanInValue() {
        return w[Tables.R_SC_STEP] == STEP_VALUE;
    }

    final boolean scanInHeader() {
        return w[Tables.R_SC_STEP] < STEP_VALUE;
    }

    final boolean scanAtTag() {
        return w[Tables.R_SC_STEP] == STEP_TAG;
    }

    final boolean scanStopped() {
        return w[Tables.R_SC_STEP] == STEP_STOPPED;
    }

    final boolean scanBad() {
        return w[Tables.R_SC_STEP] == STEP_BAD;
    }

    final void beginScan(byte node) {
        w[Tables.R_SC_NODE] = node;
        w[Tables.R_SC_STEP] = STEP_TAG;
        w[Tables.R_SC_HEADER] = 0;
        put16(Tables.R_SC_TOTAL, (short) 0);
        w[Tables.R_SC_RELAY] = 0;
        w[Tables.R_KIND] = Tables.KIND_NONE;
        w[Tables.R_CODE] = 0;
        w[Tables.R_CHANGED] = 0;
    }

    final void scanByte(byte b) {
        byte step = w[Tables.R_SC_STEP];
        if (step == STEP_VALUE) {
            valueByte(b);
            return;
        }
        if (step > STEP_VALUE) {
            return;
        }
        w[Tables.R_SC_HEADER]++;
        switch (step) {
            case STEP_TAG:
                w[Tables.R_SC_HEADER] = 1;
                put16(Tables.R_SC_TAG, (short) (b & 0xFF));
                step = (b & 0x1F) == 0x1F ? STEP_TAG2 : STEP_LENGTH;
                break;
            case STEP_TAG2:
                w[Tables.R_SC_TAG] = w[(short) (Tables.R_SC_TAG + 1)];
                w[(short) (Tables.R_SC_TAG + 1)] = b;
                step = b < 0 ? STEP_BAD : STEP_LENGTH;
                break;
            case STEP_LENGTH:
                put16(Tables.R_SC_LEN, (short) 0);
                w[Tables.R_SC_BIG] = 0;
                if (b >= 0) {
                    put16(Tables.R_SC_LEN, b);
                    headerDone();
                    return;
                }
                if (b == (byte) 0x81) {
                    step = STEP_LENGTH1;
                } else if (b == (byte) 0x82) {
                    step = STEP_LENGTH2;
                } else if (b == (byte) 0x83) {
                    step = STEP_LENGTH3;
                } else {
                    step = STEP_BAD;
                }
                break;
            case STEP_LENGTH3:
                if (b != 0) {
                    w[Tables.R_SC_BIG] = 1;
                }
                step = STEP_LENGTH2;
                break;
            case STEP_LENGTH2:
                // Lengths above 32767 don't fit a short.
                if (b < 0) {
                    w[Tables.R_SC_BIG] = 1;
                }
                put16(Tables.R_SC_LEN, (short) (b & 0x7F));
                step = STEP_LENGTH1;
                break;
            default:
                w[Tables.R_SC_LEN] = w[(short) (Tables.R_SC_LEN + 1)];
                w[(short) (Tables.R_SC_LEN + 1)] = b;
                headerDone();
                return;
        }
        w[Tables.R_SC_STEP] = step;
    }

    /** The rule for the current tag: its place in the grammar, past node and tag. */
    private short findRule() {
        short at = 0;
        byte node = w[Tables.R_SC_NODE];
        while (at < (short) Tables.RULES.length) {
            if (Tables.RULES[at] == node) {
                byte hi = Tables.RULES[(short) (at + 1)];
                byte lo = Tables.RULES[(short) (at + 2)];
                boolean any = hi == 0 && lo == 0;
                if (any || hi == w[Tables.R_SC_TAG] && lo == w[(short) (Tables.R_SC_TAG + 1)]) {
                    break;
                }
            }
            at += Tables.RULE_SIZE;
        }
        return (short) (at + 3);
    }

    /** A header is complete: its rule says what to do. */
    private void headerDone() {
        short len = get16(Tables.R_SC_LEN);
        short header = w[Tables.R_SC_HEADER];
        short at = findRule();
        byte op = Tables.RULES[at];
        short arg = javacard.framework.Util.getShort(Tables.RULES, (short) (at + 1));
        byte max = Tables.RULES[(short) (at + 3)];
        byte kind = Tables.RULES[(short) (at + 4)];
        if (kind != 0) {
            w[Tables.R_KIND] = kind;
        }
        boolean entered = op >= Tables.OP_ENTER && op <= Tables.OP_ITEM
                || op == Tables.OP_HEAD || op == Tables.OP_HEAD_END;
        if (op == Tables.OP_BAD || w[Tables.R_SC_BIG] == 1 && !entered) {
            w[Tables.R_SC_STEP] = STEP_BAD;
            return;
        }
        if (entered || op == Tables.OP_KEEP || op == Tables.OP_KEEP_END) {
            w[Tables.R_SC_NODE] = (byte) arg;
        } else if (op == Tables.OP_CERTIFICATE) {
            op = sizeCommand(len);
            if (op == Tables.OP_BAD) {
                w[Tables.R_SC_STEP] = STEP_BAD;
                return;
            }
        }
        if (entered) {
            if (op == Tables.OP_RELAY) {
                w[Tables.R_SC_RELAY] = 1;
            } else if (op == Tables.OP_HEAD_END) {
                w[Tables.R_ENDED] = 1;
            } else if (op == Tables.OP_ITEM && w[Tables.R_EIM_COUNT] < 127) {
                w[Tables.R_EIM_COUNT]++;
            }
            enter(op, header);
            return;
        }
        switch (op) {
            case Tables.OP_MARK:
                w[Tables.R_SC_NODE] = max;
                if (note(arg, header, len)) {
                    enter(op, header);
                }
                return;
            case Tables.OP_STOP:
                w[Tables.R_SC_STEP] = STEP_STOPPED;
                return;
            case Tables.OP_MEASURE:
            case Tables.OP_MEASURE_FILLED:
                if (op == Tables.OP_MEASURE || len > 0) {
                    if (note(arg, header, len)) {
                        w[Tables.R_SC_STEP] = STEP_STOPPED;
                    }
                    return;
                }
                break;
            case Tables.OP_COPY_ITEM:
                if (w[Tables.R_EIM_COUNT] != (byte) (w[Tables.R_EIM_INDEX] + 1) || len > (short) (max & 0xFF)) {
                    op = Tables.OP_SKIP;
                } else {
                    w[arg] = (byte) len;
                }
                break;
            case Tables.OP_COPY:
            case Tables.OP_KEEP_COPY:
                if (len > (short) (max & 0xFF)) {
                    op = op == Tables.OP_COPY ? Tables.OP_SKIP : Tables.OP_KEEP;
                } else {
                    w[arg] = (byte) len;
                }
                break;
            case Tables.OP_KEEP_END:
                if (len == 0) {
                    w[Tables.R_ENDED] = 1;
                }
                break;
            case Tables.OP_ACK:
                if (len == 0 || len > Tables.ACK_LEN || w[Tables.R_ACKS] >= Tables.ACKS_MAX) {
                    op = Tables.OP_SKIP;
                } else {
                    arg = (short) (Tables.R_ACK + w[Tables.R_ACKS] * (1 + Tables.ACK_LEN));
                    w[arg] = (byte) len;
                    w[Tables.R_ACKS]++;
                }
                break;
            default:
                break;
        }
        put16(Tables.R_SC_ARG, arg);
        w[Tables.R_SC_OP] = op;
        put16(Tables.R_SC_LEFT, len);
        addTotal(header);
        addTotal(len);
        w[Tables.R_SC_STEP] = len == 0 ? STEP_TAG : STEP_VALUE;
    }

    private void enter(byte op, short header) {
        w[Tables.R_SC_OP] = op;
        w[Tables.R_SC_STEP] = STEP_TAG;
        addTotal(header);
    }

    /** Notes where the object begins and its size; false if that is too much. */
    private boolean note(short arg, short header, short len) {
        if (len > Tables.MEASURE_MAX) {
            w[Tables.R_SC_STEP] = STEP_BAD;
            return false;
        }
        put16(arg, get16(Tables.R_SC_TOTAL));
        put16((short) (arg + 2), (short) (header + len));
        return true;
    }

    private void addTotal(short n) {
        short total = (short) (get16(Tables.R_SC_TOTAL) + n);
        put16(Tables.R_SC_TOTAL, (short) (total & 0x7FFF));
    }

    private void valueByte(byte b) {
        short left = get16(Tables.R_SC_LEFT);
        short at = (short) (get16(Tables.R_SC_LEN) - left);
        short arg = get16(Tables.R_SC_ARG);
        switch (w[Tables.R_SC_OP]) {
            case Tables.OP_COPY:
            case Tables.OP_COPY_ITEM:
            case Tables.OP_KEEP_COPY:
            case Tables.OP_ACK:
                w[(short) (arg + 1 + at)] = b;
                break;
            case Tables.OP_BYTE:
                w[arg] = b;
                break;
            case Tables.OP_ZERO:
                if (b == 0 && get16(Tables.R_SC_LEN) == 1) {
                    w[arg] = 1;
                }
                break;
            default:
                break;
        }
        left--;
        put16(Tables.R_SC_LEFT, left);
        if (left == 0) {
            w[Tables.R_SC_STEP] = STEP_TAG;
            if (w[Tables.R_SC_OP] == Tables.OP_KEEP_END) {
                w[Tables.R_ENDED] = 1;
            }
        }
    }
}
