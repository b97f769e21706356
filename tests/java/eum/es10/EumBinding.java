package eum.es10;

import ipae.es10.Es10Port;

/** The port over the one of an ISD-R, in STORE DATA blocks that the EUM chooses. */
public final class EumBinding implements EumPort {
    /** STORE DATA, P1: last block, BER-TLV. */
    private static final byte LAST = (byte) 0x91;

    private final Es10Port port;

    public EumBinding(Es10Port port) {
        this.port = port;
    }

    public short transmit(short length) {
        return port.storeData(LAST, (byte) 0, length);
    }

    public short receive(short max) {
        return port.getResponse(max);
    }
}
