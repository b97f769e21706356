package conformance.crypto;

import conformance.base.Suite;
import javacard.framework.APDU;
import javacard.framework.JCSystem;
import javacard.framework.Util;
import javacard.security.AESKey;
import javacard.security.Checksum;
import javacard.security.CryptoException;
import javacard.security.DESKey;
import javacard.security.ECPrivateKey;
import javacard.security.ECPublicKey;
import javacard.security.HMACKey;
import javacard.security.InitializedMessageDigest;
import javacard.security.Key;
import javacard.security.KeyAgreement;
import javacard.security.KeyBuilder;
import javacard.security.KeyPair;
import javacard.security.MessageDigest;
import javacard.security.PrivateKey;
import javacard.security.PublicKey;
import javacard.security.RandomData;
import javacard.security.Signature;
import javacardx.crypto.Cipher;

/** Keys, the life of crypto objects, reasons of CryptoException. */
public final class Keys extends Suite {
    private byte[] a;
    private byte[] b;
    private AESKey aes;
    private AESKey onReset;
    private AESKey onDeselect;
    private Cipher cipher;
    private KeyPair pair;

    private Keys() {
        a = new byte[160];
        b = new byte[160];
        aes = (AESKey) KeyBuilder.buildKey(KeyBuilder.TYPE_AES, KeyBuilder.LENGTH_AES_128, false);
        onReset = (AESKey) KeyBuilder.buildKey(KeyBuilder.TYPE_AES_TRANSIENT_RESET, KeyBuilder.LENGTH_AES_128, false);
        onDeselect = (AESKey) KeyBuilder.buildKey(
                KeyBuilder.TYPE_AES_TRANSIENT_DESELECT, KeyBuilder.LENGTH_AES_128, false);
        cipher = Cipher.getInstance(Cipher.ALG_AES_BLOCK_128_CBC_NOPAD, false);
        pair = new KeyPair(KeyPair.ALG_EC_FP, KeyBuilder.LENGTH_EC_FP_256);
    }

    public static void install(byte[] array, short offset, byte length) {
        new Keys().register(array, (short) (offset + 1), array[offset]);
    }

    protected void run(short test, short phase, APDU apdu) {
        Util.arrayFillNonAtomic(a, (short) 0, (short) 160, (byte) 0x21);
        Util.arrayFillNonAtomic(b, (short) 0, (short) 160, (byte) 0);
        switch (test) {
            case 1: // API KeyBuilder.buildKey: a new key: type, size, not initialised
                Key key = KeyBuilder.buildKey(KeyBuilder.TYPE_AES, KeyBuilder.LENGTH_AES_256, false);
                same((short) KeyBuilder.TYPE_AES, key.getType());
                same((short) 256, key.getSize());
                check(!key.isInitialized());
                check(key instanceof AESKey);
                try {
                    ((AESKey) key).getKey(b, (short) 0);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.UNINITIALIZED_KEY, e.getReason());
                }
                return;
            case 2: // API Key: set, get, clear
                aes.setKey(a, (short) 3);
                check(aes.isInitialized());
                same((short) 16, aes.getKey(b, (short) 1));
                same((short) 0, b[0]);
                same((short) 0x21, b[16]);
                aes.clearKey();
                check(!aes.isInitialized());
                return;
            case 3: // API KeyBuilder.buildKey: types and sizes that there aren't
                same(CryptoException.NO_SUCH_ALGORITHM, built((byte) 99, (short) 128));
                same(CryptoException.NO_SUCH_ALGORITHM, built(KeyBuilder.TYPE_AES, (short) 100));
                same(CryptoException.NO_SUCH_ALGORITHM, built(KeyBuilder.TYPE_EC_FP_PUBLIC, (short) 255));
                return;
            case 4: // API getInstance: algorithms that there aren't
                same(CryptoException.NO_SUCH_ALGORITHM, got((short) 0));
                same(CryptoException.NO_SUCH_ALGORITHM, got((short) 1));
                same(CryptoException.NO_SUCH_ALGORITHM, got((short) 2));
                same(CryptoException.NO_SUCH_ALGORITHM, got((short) 3));
                same(CryptoException.NO_SUCH_ALGORITHM, got((short) 4));
                same(CryptoException.NO_SUCH_ALGORITHM, got((short) 5));
                return;
            case 5: // API KeyBuilder: transient keys are cleared by a reset [reset]
                if (phase == 0) {
                    onReset.setKey(a, (short) 0);
                    onDeselect.setKey(a, (short) 0);
                    aes.setKey(a, (short) 0);
                    check(onReset.isInitialized() && onDeselect.isInitialized());
                } else {
                    check(!onReset.isInitialized() && !onDeselect.isInitialized());
                    check(aes.isInitialized());
                }
                return;
            case 6: // API KeyBuilder: CLEAR_ON_DESELECT keys are cleared by another selection [reselect]
                if (phase == 0) {
                    onReset.setKey(a, (short) 0);
                    onDeselect.setKey(a, (short) 0);
                } else {
                    check(onReset.isInitialized());
                    check(!onDeselect.isInitialized());
                }
                return;
            case 7: // API Cipher: before init is INVALID_INIT
                Cipher fresh = Cipher.getInstance(Cipher.ALG_AES_BLOCK_128_ECB_NOPAD, false);
                same((short) Cipher.ALG_AES_BLOCK_128_ECB_NOPAD, fresh.getAlgorithm());
                try {
                    fresh.doFinal(a, (short) 0, (short) 16, b, (short) 0);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.INVALID_INIT, e.getReason());
                }
                return;
            case 8: // API Cipher.init: an empty key, a key of another kind, a mode that there isn't
                aes.clearKey();
                try {
                    cipher.init(aes, Cipher.MODE_ENCRYPT);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.UNINITIALIZED_KEY, e.getReason());
                }
                aes.setKey(a, (short) 0);
                try {
                    cipher.init(aes, (byte) 5);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_VALUE, e.getReason());
                }
                pair.genKeyPair();
                try {
                    cipher.init(pair.getPrivate(), Cipher.MODE_ENCRYPT);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_VALUE, e.getReason());
                }
                return;
            case 9: // API Cipher.init: an initial value of another length; ECB has none
                aes.setKey(a, (short) 0);
                try {
                    cipher.init(aes, Cipher.MODE_ENCRYPT, a, (short) 0, (short) 15);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_VALUE, e.getReason());
                }
                Cipher ecb = Cipher.getInstance(Cipher.ALG_AES_BLOCK_128_ECB_NOPAD, false);
                try {
                    ecb.init(aes, Cipher.MODE_ENCRYPT, a, (short) 0, (short) 16);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_VALUE, e.getReason());
                }
                return;
            case 10: // API Cipher.doFinal: a message that doesn't fill its blocks is ILLEGAL_USE without padding
                aes.setKey(a, (short) 0);
                cipher.init(aes, Cipher.MODE_ENCRYPT);
                try {
                    cipher.doFinal(a, (short) 0, (short) 17, b, (short) 0);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_USE, e.getReason());
                }
                return;
            case 11: // API Cipher.doFinal: the next message starts from zero, the key stays
                aes.setKey(a, (short) 0);
                cipher.init(aes, Cipher.MODE_ENCRYPT, a, (short) 0, (short) 16);
                same((short) 16, cipher.doFinal(a, (short) 0, (short) 16, b, (short) 0));
                same((short) 16, cipher.doFinal(a, (short) 0, (short) 16, b, (short) 16));
                check(Util.arrayCompare(b, (short) 0, b, (short) 16, (short) 16) != 0);
                cipher.init(aes, Cipher.MODE_ENCRYPT);
                cipher.doFinal(a, (short) 0, (short) 16, b, (short) 32);
                same((short) 0, Util.arrayCompare(b, (short) 16, b, (short) 32, (short) 16));
                return;
            case 12: // API Cipher: a reset forgets the message, not the key [reset]
                if (phase == 0) {
                    aes.setKey(a, (short) 0);
                    cipher.init(aes, Cipher.MODE_ENCRYPT);
                    cipher.update(a, (short) 0, (short) 20, b, (short) 0);
                } else {
                    same((short) 16, cipher.doFinal(a, (short) 0, (short) 16, b, (short) 0));
                    cipher.init(aes, Cipher.MODE_ENCRYPT);
                    cipher.doFinal(a, (short) 0, (short) 16, b, (short) 16);
                    same((short) 0, Util.arrayCompare(b, (short) 0, b, (short) 16, (short) 16));
                }
                return;
            case 13: // API Cipher.doFinal: padding that isn't there is ILLEGAL_USE
                aes.setKey(a, (short) 0);
                Cipher padded = Cipher.getInstance(Cipher.ALG_AES_ECB_PKCS5, false);
                padded.init(aes, Cipher.MODE_DECRYPT);
                try {
                    padded.doFinal(a, (short) 0, (short) 16, b, (short) 0);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_USE, e.getReason());
                }
                return;
            case 14: // API Cipher: output outside its array
                aes.setKey(a, (short) 0);
                cipher.init(aes, Cipher.MODE_ENCRYPT);
                try {
                    cipher.doFinal(a, (short) 0, (short) 16, b, (short) 150);
                    missed();
                } catch (ArrayIndexOutOfBoundsException e) {
                    check(true);
                }
                return;
            case 15: // API Signature: before init, and for the other mode, is INVALID_INIT
                Signature mac = Signature.getInstance(Signature.ALG_AES_MAC_128_NOPAD, false);
                try {
                    mac.sign(a, (short) 0, (short) 16, b, (short) 0);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.INVALID_INIT, e.getReason());
                }
                aes.setKey(a, (short) 0);
                mac.init(aes, Signature.MODE_VERIFY);
                try {
                    mac.sign(a, (short) 0, (short) 16, b, (short) 0);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.INVALID_INIT, e.getReason());
                }
                mac.init(aes, Signature.MODE_SIGN);
                same((short) 16, mac.getLength());
                try {
                    mac.sign(a, (short) 0, (short) 15, b, (short) 0);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_USE, e.getReason());
                }
                return;
            case 16: // API KeyPair.genKeyPair: on the default curve; parameters are set
                pair.genKeyPair();
                ECPublicKey open = (ECPublicKey) pair.getPublic();
                ECPrivateKey secret = (ECPrivateKey) pair.getPrivate();
                check(open.isInitialized() && secret.isInitialized());
                same((short) 65, open.getW(b, (short) 0));
                same((short) 4, b[0]);
                same((short) 32, secret.getS(b, (short) 0));
                same((short) 32, open.getField(b, (short) 0));
                same((short) 0, Util.arrayCompare(b, (short) 0, Curves.P256_FIELD, (short) 0, (short) 32));
                same((short) 1, open.getK());
                return;
            case 17: // API KeyPair.genKeyPair: on the curve that the public key has
                brainpool(open());
                pair.genKeyPair();
                same((short) 32, ((ECPublicKey) pair.getPublic()).getField(b, (short) 0));
                same((short) 0, Util.arrayCompare(b, (short) 0, Curves.B256_FIELD, (short) 0, (short) 32));
                agreeAndSign();
                pair = new KeyPair(KeyPair.ALG_EC_FP, KeyBuilder.LENGTH_EC_FP_256);
                return;
            case 18: // API KeyPair, Signature, KeyAgreement: what is generated works together
                pair.genKeyPair();
                agreeAndSign();
                KeyPair large = new KeyPair(KeyPair.ALG_EC_FP, KeyBuilder.LENGTH_EC_FP_384);
                large.genKeyPair();
                same((short) 97, ((ECPublicKey) large.getPublic()).getW(b, (short) 0));
                return;
            case 19: // API ECKey: a parameter that is none of a curve's, a point that is none, a scalar too large
                ECPublicKey point = (ECPublicKey) KeyBuilder.buildKey(
                        KeyBuilder.TYPE_EC_FP_PUBLIC, KeyBuilder.LENGTH_EC_FP_256, false);
                try {
                    point.setFieldFP(a, (short) 0, (short) 32);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_VALUE, e.getReason());
                }
                Curves.set(point, (byte) 0);
                a[0] = (byte) 4;
                try {
                    point.setW(a, (short) 0, (short) 65);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_VALUE, e.getReason());
                }
                try {
                    point.setW(a, (short) 0, (short) 64);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_VALUE, e.getReason());
                }
                check(!point.isInitialized());
                return;
            case 20: // API ECKey: a key without parameters isn't initialised, in whatever order they come
                ECPrivateKey scalar = (ECPrivateKey) KeyBuilder.buildKey(
                        KeyBuilder.TYPE_EC_FP_PRIVATE, KeyBuilder.LENGTH_EC_FP_256, false);
                scalar.setS(a, (short) 0, (short) 32);
                check(!scalar.isInitialized());
                try {
                    scalar.getG(b, (short) 0);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.UNINITIALIZED_KEY, e.getReason());
                }
                scalar.setR(Curves.P256_R, (short) 0, (short) 32);
                scalar.setG(Curves.P256_G, (short) 0, (short) 65);
                scalar.setFieldFP(Curves.P256_FIELD, (short) 0, (short) 32);
                scalar.setB(Curves.P256_B, (short) 0, (short) 32);
                check(!scalar.isInitialized());
                scalar.setA(Curves.P256_A, (short) 0, (short) 32);
                check(scalar.isInitialized());
                same((short) 65, scalar.getG(b, (short) 0));
                return;
            case 21: // API KeyAgreement: before init, and with what is no point
                KeyAgreement agreement = KeyAgreement.getInstance(KeyAgreement.ALG_EC_SVDP_DH_PLAIN, false);
                try {
                    agreement.generateSecret(Curves.P256_G, (short) 0, (short) 65, b, (short) 0);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.INVALID_INIT, e.getReason());
                }
                pair.genKeyPair();
                agreement.init(pair.getPrivate());
                same((short) KeyAgreement.ALG_EC_SVDP_DH_PLAIN, agreement.getAlgorithm());
                try {
                    agreement.generateSecret(a, (short) 0, (short) 65, b, (short) 0);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_VALUE, e.getReason());
                }
                return;
            case 22: // API MessageDigest: length, algorithm, reset, and a digest after a digest
                MessageDigest digest = MessageDigest.getInstance(MessageDigest.ALG_SHA_256, false);
                same((short) 32, digest.getLength());
                same((short) MessageDigest.ALG_SHA_256, digest.getAlgorithm());
                digest.doFinal(a, (short) 0, (short) 10, b, (short) 0);
                digest.update(a, (short) 5, (short) 5);
                digest.reset();
                digest.update(a, (short) 0, (short) 4);
                digest.doFinal(a, (short) 4, (short) 6, b, (short) 32);
                same((short) 0, Util.arrayCompare(b, (short) 0, b, (short) 32, (short) 32));
                return;
            case 23: // API InitializedMessageDigest: goes on from an intermediate value
                resumed();
                return;
            case 24: // API RandomData: bytes that differ; a length of zero is ILLEGAL_VALUE
                RandomData random = RandomData.getInstance(RandomData.ALG_SECURE_RANDOM);
                random.generateData(b, (short) 0, (short) 16);
                random.generateData(b, (short) 16, (short) 16);
                check(Util.arrayCompare(b, (short) 0, b, (short) 16, (short) 16) != 0);
                same((short) 0, b[32]);
                random.setSeed(a, (short) 0, (short) 4);
                try {
                    random.generateData(b, (short) 0, (short) 0);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_VALUE, e.getReason());
                }
                return;
            case 25: // API Checksum: an initial value of another length
                Checksum sum = Checksum.getInstance(Checksum.ALG_ISO3309_CRC16, false);
                same((short) Checksum.ALG_ISO3309_CRC16, sum.getAlgorithm());
                try {
                    sum.init(a, (short) 0, (short) 3);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_VALUE, e.getReason());
                }
                return;
            case 26: // API Signature.signPreComputedHash: a hash of the digest's length
                pair.genKeyPair();
                Signature signer = Signature.getInstance(Signature.ALG_ECDSA_SHA_256, false);
                signer.init(pair.getPrivate(), Signature.MODE_SIGN);
                MessageDigest sha = MessageDigest.getInstance(MessageDigest.ALG_SHA_256, false);
                sha.doFinal(a, (short) 0, (short) 20, b, (short) 0);
                short n = signer.signPreComputedHash(b, (short) 0, (short) 32, b, (short) 40);
                check(n <= signer.getLength());
                try {
                    signer.signPreComputedHash(b, (short) 0, (short) 31, b, (short) 120);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_USE, e.getReason());
                }
                signer.init(pair.getPublic(), Signature.MODE_VERIFY);
                check(signer.verify(a, (short) 0, (short) 20, b, (short) 40, n));
                check(!signer.verify(a, (short) 0, (short) 21, b, (short) 40, n));
                return;
            case 27: // API KeyPair: of keys that were built; keys that don't fit
                ECPublicKey w = open();
                PrivateKey s = (PrivateKey) KeyBuilder.buildKey(
                        KeyBuilder.TYPE_EC_FP_PRIVATE, KeyBuilder.LENGTH_EC_FP_256, false);
                KeyPair own = new KeyPair(w, s);
                own.genKeyPair();
                check(own.getPublic() == w && own.getPrivate() == s && w.isInitialized());
                PrivateKey other = (PrivateKey) KeyBuilder.buildKey(
                        KeyBuilder.TYPE_EC_FP_PRIVATE, KeyBuilder.LENGTH_EC_FP_384, false);
                try {
                    new KeyPair(w, other);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_VALUE, e.getReason());
                }
                try {
                    new KeyPair(KeyPair.ALG_EC_F2M, (short) 163);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.NO_SUCH_ALGORITHM, e.getReason());
                }
                return;
            case 28: // API Key: setting a persistent key takes part in a transaction
                aes.setKey(a, (short) 0);
                JCSystem.beginTransaction();
                a[20] = (byte) 0x55;
                aes.setKey(a, (short) 16);
                JCSystem.abortTransaction();
                aes.getKey(b, (short) 0);
                same((short) 0x21, b[4]);
                return;
            case 29: // API DESKey, HMACKey: sizes and values
                DESKey des = (DESKey) KeyBuilder.buildKey(KeyBuilder.TYPE_DES, KeyBuilder.LENGTH_DES3_2KEY, false);
                des.setKey(a, (short) 0);
                same((short) 16, des.getKey(b, (short) 0));
                same((short) 128, des.getSize());
                HMACKey hmac = (HMACKey) KeyBuilder.buildKey(
                        KeyBuilder.TYPE_HMAC, KeyBuilder.LENGTH_HMAC_SHA_256_BLOCK_64, false);
                hmac.setKey(a, (short) 0, (short) 20);
                same((short) 20, hmac.getKey(b, (short) 0));
                return;
            default:
                missed();
        }
    }

    private ECPublicKey open() {
        return (ECPublicKey) KeyBuilder.buildKey(KeyBuilder.TYPE_EC_FP_PUBLIC, KeyBuilder.LENGTH_EC_FP_256, false);
    }

    private void brainpool(ECPublicKey key) {
        Curves.set(key, (byte) 2);
        pair = new KeyPair(key, (PrivateKey) KeyBuilder.buildKey(
                KeyBuilder.TYPE_EC_FP_PRIVATE, KeyBuilder.LENGTH_EC_FP_256, false));
    }

    /** Signs and verifies with the pair, and agrees with itself. */
    private void agreeAndSign() {
        PublicKey open = pair.getPublic();
        Signature signature = Signature.getInstance(Signature.ALG_ECDSA_SHA_256, false);
        signature.init(pair.getPrivate(), Signature.MODE_SIGN);
        same((short) Signature.ALG_ECDSA_SHA_256, signature.getAlgorithm());
        signature.update(a, (short) 0, (short) 50);
        short n = signature.sign(a, (short) 50, (short) 50, b, (short) 0);
        check(n <= signature.getLength());
        signature.init(open, Signature.MODE_VERIFY);
        check(signature.verify(a, (short) 0, (short) 100, b, (short) 0, n));
        check(!signature.verify(a, (short) 0, (short) 99, b, (short) 0, n));
        b[(short) (n - 1)] ^= 1;
        check(!signature.verify(a, (short) 0, (short) 100, b, (short) 0, n));
        KeyAgreement agreement = KeyAgreement.getInstance(KeyAgreement.ALG_EC_SVDP_DH, false);
        agreement.init(pair.getPrivate());
        short w = ((ECPublicKey) open).getW(b, (short) 0);
        same((short) 20, agreement.generateSecret(b, (short) 0, w, b, (short) 70));
    }

    private void resumed() {
        InitializedMessageDigest digest =
                MessageDigest.getInitializedMessageDigestInstance(MessageDigest.ALG_SHA_256, false);
        // FIPS 180-4: SHA-256's first value, as if after one block; the padding's length tells.
        b[0] = (byte) 0;
        b[1] = (byte) 64;
        digest.setInitialDigest(a, (short) 0, (short) 32, b, (short) 0, (short) 2);
        digest.update(a, (short) 0, (short) 3);
        same((short) 32, digest.doFinal(a, (short) 0, (short) 0, b, (short) 32));
        digest.setInitialDigest(a, (short) 0, (short) 32, b, (short) 0, (short) 2);
        digest.doFinal(a, (short) 0, (short) 3, b, (short) 64);
        same((short) 0, Util.arrayCompare(b, (short) 32, b, (short) 64, (short) 32));
        digest.doFinal(a, (short) 0, (short) 3, b, (short) 64);
        check(Util.arrayCompare(b, (short) 32, b, (short) 64, (short) 32) != 0);
        try {
            b[1] = (byte) 63;
            digest.setInitialDigest(a, (short) 0, (short) 32, b, (short) 0, (short) 2);
            missed();
        } catch (CryptoException e) {
            same(CryptoException.ILLEGAL_VALUE, e.getReason());
        }
        try {
            b[1] = (byte) 64;
            digest.setInitialDigest(a, (short) 0, (short) 31, b, (short) 0, (short) 2);
            missed();
        } catch (CryptoException e) {
            same(CryptoException.ILLEGAL_VALUE, e.getReason());
        }
    }

    private short built(byte type, short size) {
        try {
            KeyBuilder.buildKey(type, size, false);
        } catch (CryptoException e) {
            return e.getReason();
        }
        return (short) 0;
    }

    private short got(short which) {
        try {
            switch (which) {
                case 0:
                    MessageDigest.getInstance((byte) 99, false);
                    break;
                case 1:
                    Signature.getInstance((byte) 99, false);
                    break;
                case 2:
                    Cipher.getInstance((byte) 99, false);
                    break;
                case 3:
                    KeyAgreement.getInstance((byte) 99, false);
                    break;
                case 4:
                    RandomData.getInstance((byte) 99);
                    break;
                default:
                    Checksum.getInstance((byte) 99, false);
                    break;
            }
        } catch (CryptoException e) {
            return e.getReason();
        }
        return (short) 0;
    }
}
