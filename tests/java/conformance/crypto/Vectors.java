package conformance.crypto;

import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;
import javacard.security.AESKey;
import javacard.security.Checksum;
import javacard.security.DESKey;
import javacard.security.ECPrivateKey;
import javacard.security.ECPublicKey;
import javacard.security.HMACKey;
import javacard.security.Key;
import javacard.security.KeyAgreement;
import javacard.security.KeyBuilder;
import javacard.security.MessageDigest;
import javacard.security.Signature;
import javacardx.crypto.Cipher;

/**
 * Computes what a vector asks for. The command's data are fields, each with its length in front (one byte); P1 is
 * the algorithm's constant, and P2 what else is to be said.
 */
public final class Vectors extends Applet {
    /** Where the fields were copied to, and where each starts. */
    private byte[] in;
    private byte[] out;
    private short[] at;

    private Vectors() {
        in = JCSystem.makeTransientByteArray((short) 256, JCSystem.CLEAR_ON_DESELECT);
        out = JCSystem.makeTransientByteArray((short) 256, JCSystem.CLEAR_ON_DESELECT);
        at = JCSystem.makeTransientShortArray((short) 9, JCSystem.CLEAR_ON_DESELECT);
    }

    public static void install(byte[] array, short offset, byte length) {
        new Vectors().register(array, (short) (offset + 1), array[offset]);
    }

    private short length(short field) {
        return (short) (in[(short) (at[field] - 1)] & 0xFF);
    }

    public void process(APDU apdu) {
        if (selectingApplet()) {
            return;
        }
        byte[] buffer = apdu.getBuffer();
        short received = apdu.setIncomingAndReceive();
        Util.arrayCopyNonAtomic(buffer, ISO7816.OFFSET_CDATA, in, (short) 0, received);
        // A field that doesn't come is empty.
        in[received] = (byte) 0;
        short next = (short) 0;
        for (short i = (short) 0; i < at.length; i++) {
            at[i] = (short) (next + 1);
            if (next < received) {
                next += (short) (1 + (in[next] & 0xFF));
            }
        }
        byte algorithm = buffer[ISO7816.OFFSET_P1];
        byte mode = buffer[ISO7816.OFFSET_P2];
        short n = (short) 0;
        switch (buffer[ISO7816.OFFSET_INS]) {
            case 0x20:
                n = digest(algorithm, mode);
                break;
            case 0x21:
                n = code(algorithm, mode);
                break;
            case 0x22:
                n = cipher(algorithm, mode);
                break;
            case 0x23:
                n = verify(algorithm, mode);
                break;
            case 0x24:
                n = agree(algorithm, mode);
                break;
            case 0x25:
                n = checksum(algorithm);
                break;
            case 0x26:
                n = sign(algorithm, mode);
                break;
            default:
                ISOException.throwIt(ISO7816.SW_INS_NOT_SUPPORTED);
        }
        Util.arrayCopyNonAtomic(out, (short) 0, buffer, (short) 0, n);
        apdu.setOutgoingAndSend((short) 0, n);
    }

    /** The message, in parts if P2 says how long. */
    private short digest(byte algorithm, byte part) {
        MessageDigest digest = MessageDigest.getInstance(algorithm, false);
        short offset = at[0];
        short left = length((short) 0);
        while (part != 0 && left > part) {
            digest.update(in, offset, part);
            offset += part;
            left -= part;
        }
        return digest.doFinal(in, offset, left, out, (short) 0);
    }

    /** P2: kind of key (KeyBuilder.TYPE_*). Key, message, initial value. The code is verified too. */
    private short code(byte algorithm, byte type) {
        Key key = secret(type, (short) 0);
        Signature signature = Signature.getInstance(algorithm, false);
        init(signature, key, Signature.MODE_SIGN);
        short half = (short) (length((short) 1) / 2);
        signature.update(in, at[1], half);
        short n = signature.sign(in, (short) (at[1] + half), (short) (length((short) 1) - half), out, (short) 0);
        init(signature, key, Signature.MODE_VERIFY);
        if (!signature.verify(in, at[1], length((short) 1), out, (short) 0, n)) {
            ISOException.throwIt((short) 0x6B01);
        }
        init(signature, key, Signature.MODE_VERIFY);
        out[(short) (n - 1)] ^= 1;
        if (signature.verify(in, at[1], length((short) 1), out, (short) 0, n)) {
            ISOException.throwIt((short) 0x6B02);
        }
        out[(short) (n - 1)] ^= 1;
        return n;
    }

    private void init(Signature signature, Key key, byte mode) {
        if (length((short) 2) == 0) {
            signature.init(key, mode);
        } else {
            signature.init(key, mode, in, at[2], length((short) 2));
        }
    }

    private Key secret(byte type, short field) {
        short length = length(field);
        switch (type) {
            case KeyBuilder.TYPE_AES:
                AESKey aes = (AESKey) KeyBuilder.buildKey(type, (short) (8 * length), false);
                aes.setKey(in, at[field]);
                return aes;
            case KeyBuilder.TYPE_DES:
                DESKey des = (DESKey) KeyBuilder.buildKey(type, (short) (8 * length), false);
                des.setKey(in, at[field]);
                return des;
            default:
                HMACKey hmac = (HMACKey) KeyBuilder.buildKey(type, KeyBuilder.LENGTH_HMAC_SHA_256_BLOCK_64, false);
                hmac.setKey(in, at[field], length);
                return hmac;
        }
    }

    /** P2: kind of key. Key, plain text, initial value. Encrypts in parts of 7, and decrypts again. */
    private short cipher(byte algorithm, byte type) {
        Key key = secret(type, (short) 0);
        Cipher cipher = Cipher.getInstance(algorithm, false);
        start(cipher, key, Cipher.MODE_ENCRYPT);
        short n = run(cipher, in, at[1], length((short) 1));
        Util.arrayCopyNonAtomic(out, (short) 0, out, (short) 128, n);
        start(cipher, key, Cipher.MODE_DECRYPT);
        short plain = run(cipher, out, (short) 128, n);
        if (plain < length((short) 1) || Util.arrayCompare(out, (short) 0, in, at[1], length((short) 1)) != 0) {
            ISOException.throwIt((short) 0x6B01);
        }
        // At once, and into the same place.
        start(cipher, key, Cipher.MODE_DECRYPT);
        plain = cipher.doFinal(out, (short) 128, n, out, (short) 128);
        if (plain < length((short) 1) || Util.arrayCompare(out, (short) 128, in, at[1], length((short) 1)) != 0) {
            ISOException.throwIt((short) 0x6B02);
        }
        start(cipher, key, Cipher.MODE_ENCRYPT);
        return cipher.doFinal(in, at[1], length((short) 1), out, (short) 0);
    }

    private void start(Cipher cipher, Key key, byte mode) {
        if (length((short) 2) == 0) {
            cipher.init(key, mode);
        } else {
            cipher.init(key, mode, in, at[2], length((short) 2));
        }
    }

    private short run(Cipher cipher, byte[] from, short offset, short length) {
        short n = (short) 0;
        while (length > 7) {
            n += cipher.update(from, offset, (short) 7, out, n);
            offset += 7;
            length -= 7;
        }
        n += cipher.doFinal(from, offset, length, out, n);
        return n;
    }

    /** P2: the curve, by its place in Curves. Point, message, signature. */
    private short verify(byte algorithm, byte curve) {
        ECPublicKey key = (ECPublicKey) KeyBuilder.buildKey(KeyBuilder.TYPE_EC_FP_PUBLIC, Curves.bits(curve), false);
        Curves.set(key, curve);
        key.setW(in, at[0], length((short) 0));
        Signature signature = Signature.getInstance(algorithm, false);
        signature.init(key, Signature.MODE_VERIFY);
        boolean good = signature.verify(in, at[1], length((short) 1), in, at[2], length((short) 2));
        out[0] = good ? (byte) 1 : (byte) 0;
        return (short) 1;
    }

    /** P2: the curve. Scalar, message: the signature, which the scalar's point verifies. */
    private short sign(byte algorithm, byte curve) {
        ECPrivateKey key = (ECPrivateKey) KeyBuilder.buildKey(KeyBuilder.TYPE_EC_FP_PRIVATE, Curves.bits(curve), false);
        Curves.set(key, curve);
        key.setS(in, at[0], length((short) 0));
        Signature signature = Signature.getInstance(algorithm, false);
        signature.init(key, Signature.MODE_SIGN);
        return signature.sign(in, at[1], length((short) 1), out, (short) 0);
    }

    /** P2: the curve. Scalar, point. */
    private short agree(byte algorithm, byte curve) {
        ECPrivateKey key = (ECPrivateKey) KeyBuilder.buildKey(KeyBuilder.TYPE_EC_FP_PRIVATE, Curves.bits(curve), false);
        Curves.set(key, curve);
        key.setS(in, at[0], length((short) 0));
        KeyAgreement agreement = KeyAgreement.getInstance(algorithm, false);
        agreement.init(key);
        return agreement.generateSecret(in, at[1], length((short) 1), out, (short) 0);
    }

    /** Message, initial value. */
    private short checksum(byte algorithm) {
        Checksum sum = Checksum.getInstance(algorithm, false);
        if (length((short) 1) != 0) {
            sum.init(in, at[1], length((short) 1));
        }
        sum.update(in, at[0], (short) 1);
        return sum.doFinal(in, (short) (at[0] + 1), (short) (length((short) 0) - 1), out, (short) 0);
    }
}
