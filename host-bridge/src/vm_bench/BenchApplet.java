package ipae.bench;

import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;
import javacard.security.ECPrivateKey;
import javacard.security.KeyBuilder;
import javacard.security.Signature;

/** What `ipae vm bench` measures: an echo, a loop of bytecodes, a signature. Runs on any Java Card 3.0.4. */
public final class BenchApplet extends Applet {
    private static final byte INS_ECHO = 0x01;
    private static final byte INS_LOOP = 0x02;
    private static final byte INS_SIGN = 0x03;

    /* NIST P-256 (FIPS 186-4, D.1.2.3): p, a, b, n, G. */
    private static final byte[] P = {
        -1, -1, -1, -1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1
    };
    private static final byte[] A = {
        -1, -1, -1, -1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -4
    };
    private static final byte[] B = {
        0x5A, (byte) 0xC6, 0x35, (byte) 0xD8, (byte) 0xAA, 0x3A, (byte) 0x93, (byte) 0xE7,
        (byte) 0xB3, (byte) 0xEB, (byte) 0xBD, 0x55, 0x76, (byte) 0x98, (byte) 0x86, (byte) 0xBC,
        0x65, 0x1D, 0x06, (byte) 0xB0, (byte) 0xCC, 0x53, (byte) 0xB0, (byte) 0xF6,
        0x3B, (byte) 0xCE, 0x3C, 0x3E, 0x27, (byte) 0xD2, 0x60, 0x4B
    };
    private static final byte[] N = {
        -1, -1, -1, -1, 0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1,
        (byte) 0xBC, (byte) 0xE6, (byte) 0xFA, (byte) 0xAD, (byte) 0xA7, 0x17, (byte) 0x9E, (byte) 0x84,
        (byte) 0xF3, (byte) 0xB9, (byte) 0xCA, (byte) 0xC2, (byte) 0xFC, 0x63, 0x25, 0x51
    };
    private static final byte[] G = {
        4,
        0x6B, 0x17, (byte) 0xD1, (byte) 0xF2, (byte) 0xE1, 0x2C, 0x42, 0x47,
        (byte) 0xF8, (byte) 0xBC, (byte) 0xE6, (byte) 0xE5, 0x63, (byte) 0xA4, 0x40, (byte) 0xF2,
        0x77, 0x03, 0x7D, (byte) 0x81, 0x2D, (byte) 0xEB, 0x33, (byte) 0xA0,
        (byte) 0xF4, (byte) 0xA1, 0x39, 0x45, (byte) 0xD8, (byte) 0x98, (byte) 0xC2, (byte) 0x96,
        0x4F, (byte) 0xE3, 0x42, (byte) 0xE2, (byte) 0xFE, 0x1A, 0x7F, (byte) 0x9B,
        (byte) 0x8E, (byte) 0xE7, (byte) 0xEB, 0x4A, 0x7C, 0x0F, (byte) 0x9E, 0x16,
        0x2B, (byte) 0xCE, 0x33, 0x57, 0x6B, 0x31, 0x5E, (byte) 0xCE,
        (byte) 0xCB, (byte) 0xB6, 0x40, 0x68, 0x37, (byte) 0xBF, 0x51, (byte) 0xF5
    };
    /* The private key 1, 2, 3, … */
    private static final byte[] S = {
        1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
        17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32
    };

    private final byte[] scratch;
    private final Signature signature;

    private BenchApplet() {
        scratch = JCSystem.makeTransientByteArray((short) 32, JCSystem.CLEAR_ON_RESET);
        ECPrivateKey key = (ECPrivateKey) KeyBuilder.buildKey(
                KeyBuilder.TYPE_EC_FP_PRIVATE, KeyBuilder.LENGTH_EC_FP_256, false);
        key.setFieldFP(P, (short) 0, (short) P.length);
        key.setA(A, (short) 0, (short) A.length);
        key.setB(B, (short) 0, (short) B.length);
        key.setG(G, (short) 0, (short) G.length);
        key.setR(N, (short) 0, (short) N.length);
        key.setK((short) 1);
        key.setS(S, (short) 0, (short) S.length);
        signature = Signature.getInstance(Signature.ALG_ECDSA_SHA_256, false);
        signature.init(key, Signature.MODE_SIGN);
    }

    public static void install(byte[] bArray, short bOffset, byte bLength) {
        new BenchApplet().register(bArray, (short) (bOffset + 1), bArray[bOffset]);
    }

    public void process(APDU apdu) {
        if (selectingApplet()) {
            return;
        }
        byte[] buffer = apdu.getBuffer();
        short length;
        switch (buffer[ISO7816.OFFSET_INS]) {
            case INS_ECHO:
                length = apdu.setIncomingAndReceive();
                apdu.setOutgoingAndSend(ISO7816.OFFSET_CDATA, length);
                break;
            case INS_LOOP:
                length = loop(Util.getShort(buffer, ISO7816.OFFSET_P1));
                Util.setShort(buffer, (short) 0, length);
                apdu.setOutgoingAndSend((short) 0, (short) 2);
                break;
            case INS_SIGN:
                length = apdu.setIncomingAndReceive();
                length = signature.sign(buffer, ISO7816.OFFSET_CDATA, length, buffer, (short) 0);
                apdu.setOutgoingAndSend((short) 0, length);
                break;
            default:
                ISOException.throwIt(ISO7816.SW_INS_NOT_SUPPORTED);
        }
    }

    /** Arithmetic, branches, array elements, fields, calls: what applets are made of. */
    private short loop(short rounds) {
        short sum = 1;
        for (short i = 0; i < rounds; i++) {
            short at = (short) (i & 0x1F);
            sum = (short) (sum + scratch[at]);
            scratch[at] = (byte) (sum ^ i);
            if ((sum & 1) == 0) {
                sum = mixed(sum, i);
            }
        }
        return sum;
    }

    private static short mixed(short a, short b) {
        return (short) ((short) (a * 3) - b);
    }
}
