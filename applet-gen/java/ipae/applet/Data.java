package ipae.applet;

import ipae.es10.Es10Port;

/**
 * IPA eUICC data (SGP.32 2.11.1.2, 2.11.2.2), answered from ES10 reads: each part that is asked for is measured
 * first, then it is asked for again and flows into the request.
 */
abstract class Data extends Terminal {
    Data(Es10Port port) {
        super(port);
    }

    private short partTag(short part) {
        return Tables.PART_TAGS[part];
    }

    /** Where place and size of the part under way are noted. */
    private short partAt() {
        return (short) (Tables.R_PART_SIZES + 4 * w[Tables.R_PART]);
    }

    private short partSize(short part) {
        return get16((short) (Tables.R_PART_SIZES + 4 * part + 2));
    }

    /** The tag at this place of the list; one that is cut off is none that is known. */
    private short listed(short at) {
        short first = (short) (w[(short) (Tables.R_TAGS + at)] & 0xFF);
        if ((first & 0x1F) != 0x1F) {
            return first;
        }
        short second = 0;
        if ((short) (at + 1) < w[Tables.R_TAGS_LEN]) {
            second = (short) (w[(short) (Tables.R_TAGS + at + 1)] & 0xFF);
        }
        return (short) (first << 8 | second);
    }

    private static short tagLength(short tag) {
        return tag >= 0 && tag < 0x100 ? (short) 1 : (short) 2;
    }

    /** True if this tag is in the tag list. */
    private boolean isWanted(short tag) {
        short at = 0;
        while (at < w[Tables.R_TAGS_LEN]) {
            short found = listed(at);
            if (found == tag) {
                return true;
            }
            at += tagLength(found);
        }
        return false;
    }

    private boolean isKnown(short tag) {
        for (short i = 0; i < (short) Tables.PART_TAGS.length; i++) {
            if (partTag(i) == tag) {
                return true;
            }
        }
        return tag == Tables.TAG_TOKEN || tag == Tables.TAG_CAPABILITIES || tag == Tables.TAG_DEVICE;
    }

    /** Looks at the tag list. */
    final byte beginData() {
        w[Tables.R_PART] = 0;
        short at = 0;
        boolean known = w[Tables.R_TAGS_LEN] > 0;
        while (at < w[Tables.R_TAGS_LEN]) {
            short tag = listed(at);
            known &= isKnown(tag);
            at += tagLength(tag);
        }
        return known ? Tables.EV_NEXT : Tables.EV_FAIL;
    }

    private byte askPartOfData() {
        switch (w[Tables.R_PART]) {
            case 0:
                return command(Tables.ES10_NOTIFICATIONS);
            case 2:
                return command(Tables.ES10_RESULTS);
            case 3:
                return command(Tables.ES10_INFO);
            case 4:
                return command(Tables.ES10_INFO2);
            case 6:
            case 7:
                return command(Tables.ES10_CERTS);
            default:
                return command(Tables.ES10_ADDRESSES);
        }
    }

    /** Asks for the part of the request that comes next. */
    final byte askPart() {
        return w[Tables.R_TX_KIND] == Tables.TX_DATA ? askPartOfData() : askOtherPart();
    }

    /** Asks the eUICC for the next part that is wanted. */
    final byte askData() {
        while (w[Tables.R_PART] < (byte) Tables.PART_TAGS.length) {
            byte part = w[Tables.R_PART];
            if (isWanted(partTag(part))) {
                put16(Tables.R_LEN1, (short) 0);
                beginScan(Tables.PART_NODES[part]);
                return askPartOfData();
            }
            put16((short) (partAt() + 2), (short) 0);
            w[Tables.R_PART]++;
        }
        return Tables.EV_GATHERED;
    }

    /** Notes where the part is in the eUICC's answer and its size; none if it wasn't found. */
    final void notePart() {
        short length = get16(Tables.R_LEN1);
        short all = length;
        for (short i = 0; i < w[Tables.R_PART]; i++) {
            all += partSize(i);
        }
        // Both are at most MEASURE_MAX, so that the sum may have become negative, and no more than that.
        if (all < 0 || all > Tables.MEASURE_MAX) {
            length = 0;
        }
        short at = partAt();
        put16(at, get16(Tables.R_OFF1));
        put16((short) (at + 2), length);
        w[Tables.R_PART]++;
    }

    /** Bytes inside of ipaEuiccData. */
    final short dataInside() {
        short all = fieldLength(Tables.R_TID_LEN);
        for (short i = 0; i < (short) Tables.PART_TAGS.length; i++) {
            all += partSize(i);
        }
        if (isWanted(Tables.TAG_CAPABILITIES)) {
            all += Tables.IPA_CAPABILITIES.length;
        }
        if (isWanted(Tables.TAG_DEVICE)) {
            all += Tables.IPA_DEVICE.length;
        }
        return all;
    }

    /** Appends what of the data is the applet's own. */
    final void appendDataTail() {
        appendField((byte) 0x87, Tables.R_TID_LEN);
        if (isWanted(Tables.TAG_CAPABILITIES)) {
            append(Tables.IPA_CAPABILITIES);
        }
        if (isWanted(Tables.TAG_DEVICE)) {
            append(Tables.IPA_DEVICE);
        }
    }

    /** Goes on to the next part that there is; false if there is none. */
    final boolean beginDataPart() {
        while (w[Tables.R_PART] < (byte) Tables.PART_TAGS.length) {
            short at = partAt();
            short length = get16((short) (at + 2));
            if (length > 0) {
                put16(Tables.R_SKIP, get16(at));
                put16(Tables.R_LEFT, length);
                return true;
            }
            w[Tables.R_PART]++;
        }
        return false;
    }

    /** Gives a part's first byte the tag that it has in IpaEuiccData. */
    final void retag(short at) {
        byte part = w[Tables.R_PART];
        boolean first = get16(Tables.R_LEFT) == partSize(part);
        if (w[Tables.R_TX_PHASE] == Tables.PHASE_DATA && first && tagLength(partTag(part)) == 1) {
            seg[at] = (byte) partTag(part);
        }
    }

    abstract short fieldLength(short register);

    abstract void appendField(byte tag, short register);

    abstract void append(byte[] template);
}
