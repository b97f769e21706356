package conformance.aead;

import conformance.base.Suite;
import javacard.framework.APDU;
import javacard.framework.OwnerPIN;
import javacard.framework.OwnerPINBuilder;
import javacard.framework.OwnerPINx;
import javacard.framework.Util;
import javacard.security.AESKey;
import javacard.security.CryptoException;
import javacard.security.ECPrivateKey;
import javacard.security.ECPublicKey;
import javacard.security.KeyAgreement;
import javacard.security.KeyBuilder;
import javacard.security.KeyPair;
import javacard.security.MessageDigest;
import javacard.security.RandomData;
import javacard.security.Signature;
import javacardx.crypto.AEADCipher;
import javacardx.crypto.Cipher;

/** What Java Card 3.0.5 adds. */
public final class Aead extends Suite {
    private byte[] out;
    private AEADCipher gcm;
    private AEADCipher ccm;
    private AESKey key;

    private Aead() {
        out = new byte[160];
        gcm = (AEADCipher) Cipher.getInstance(AEADCipher.ALG_AES_GCM, false);
        ccm = (AEADCipher) Cipher.getInstance(AEADCipher.CIPHER_AES_CCM, Cipher.PAD_NULL, false);
        key = (AESKey) KeyBuilder.buildKey(KeyBuilder.TYPE_AES, KeyBuilder.LENGTH_AES_128, false);
    }

    public static void install(byte[] array, short offset, byte length) {
        new Aead().register(array, (short) (offset + 1), array[offset]);
    }

    private boolean equal(byte[] a, short at, byte[] b) {
        return Util.arrayCompare(a, at, b, (short) 0, (short) b.length) == 0;
    }

    private void startGcm(byte mode, byte[] iv) {
        key.setKey(Data.KEY, (short) 0);
        gcm.init(key, mode, iv, (short) 0, (short) iv.length);
        gcm.updateAAD(Data.AAD, (short) 0, (short) 7);
        gcm.updateAAD(Data.AAD, (short) 7, (short) (Data.AAD.length - 7));
    }

    private short run(AEADCipher cipher, byte[] in, short from, short length) {
        short n = cipher.update(in, from, (short) 5, out, (short) 0);
        n += cipher.update(in, (short) (from + 5), (short) 17, out, n);
        return (short) (n + cipher.doFinal(in, (short) (from + 22), (short) (length - 22), out, n));
    }

    private void startCcm(byte mode) {
        key.setKey(Data.CCM_KEY, (short) 0);
        ccm.init(key, mode, Data.CCM_NONCE, (short) 0, (short) 13, (short) 8, (short) 23, (short) 8);
        for (short i = (short) 0; i < 31; i++) {
            out[(short) (i + 100)] = (byte) i;
        }
    }

    protected void run(short test, short phase, APDU apdu) {
        Util.arrayFillNonAtomic(out, (short) 0, (short) 160, (byte) 0);
        switch (test) {
            case 1: // API AEADCipher, SP 800-38D: GCM in parts, with additional data
                startGcm(Cipher.MODE_ENCRYPT, Data.IV);
                same((short) 60, run(gcm, Data.PLAIN, (short) 0, (short) 60));
                check(equal(out, (short) 0, Data.GCM));
                same((short) 16, gcm.retrieveTag(out, (short) 0, (short) 16));
                check(equal(out, (short) 0, Data.GCM_TAG));
                return;
            case 2: // API AEADCipher.verifyTag: GCM decrypted, right tag, wrong tag, part of a tag
                startGcm(Cipher.MODE_DECRYPT, Data.IV);
                same((short) 60, run(gcm, Data.GCM, (short) 0, (short) 60));
                check(equal(out, (short) 0, Data.PLAIN));
                check(gcm.verifyTag(Data.GCM_TAG, (short) 0, (short) 16, (short) 16));
                check(gcm.verifyTag(Data.GCM_TAG, (short) 0, (short) 12, (short) 12));
                check(!gcm.verifyTag(Data.LONG_TAG, (short) 0, (short) 16, (short) 16));
                return;
            case 3: // API AEADCipher, SP 800-38D 7.1: GCM with an initial value that is not 12 bytes
                startGcm(Cipher.MODE_ENCRYPT, Data.LONG_IV);
                same((short) 60, run(gcm, Data.PLAIN, (short) 0, (short) 60));
                check(equal(out, (short) 0, Data.LONG));
                gcm.retrieveTag(out, (short) 0, (short) 16);
                check(equal(out, (short) 0, Data.LONG_TAG));
                return;
            case 4: // API AEADCipher, RFC 3610: CCM, encrypted and decrypted
                startCcm(Cipher.MODE_ENCRYPT);
                ccm.updateAAD(out, (short) 100, (short) 8);
                same((short) 23, run(ccm, out, (short) 108, (short) 23));
                check(equal(out, (short) 0, Data.CCM));
                same((short) 8, ccm.retrieveTag(out, (short) 0, (short) 8));
                check(equal(out, (short) 0, Data.CCM_TAG));
                startCcm(Cipher.MODE_DECRYPT);
                ccm.updateAAD(out, (short) 100, (short) 8);
                same((short) 23, run(ccm, Data.CCM, (short) 0, (short) 23));
                same((short) 0, Util.arrayCompare(out, (short) 0, out, (short) 108, (short) 23));
                check(ccm.verifyTag(Data.CCM_TAG, (short) 0, (short) 8, (short) 8));
                return;
            case 5: // API AEADCipher.init: each mode has its own
                key.setKey(Data.KEY, (short) 0);
                try {
                    ccm.init(key, Cipher.MODE_ENCRYPT);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.INVALID_INIT, e.getReason());
                }
                try {
                    gcm.init(key, Cipher.MODE_ENCRYPT, Data.IV, (short) 0, (short) 12, (short) 0, (short) 1, (short) 16);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.INVALID_INIT, e.getReason());
                }
                try {
                    ccm.init(key, Cipher.MODE_ENCRYPT, Data.IV, (short) 0, (short) 12, (short) 0, (short) 1, (short) 5);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_VALUE, e.getReason());
                }
                return;
            case 6: // API AEADCipher: a tag before doFinal, in the other mode, of another length
                startGcm(Cipher.MODE_ENCRYPT, Data.IV);
                try {
                    gcm.retrieveTag(out, (short) 0, (short) 16);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_USE, e.getReason());
                }
                gcm.doFinal(Data.PLAIN, (short) 0, (short) 16, out, (short) 0);
                try {
                    gcm.verifyTag(Data.GCM_TAG, (short) 0, (short) 16, (short) 16);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_USE, e.getReason());
                }
                try {
                    gcm.retrieveTag(out, (short) 0, (short) 7);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_VALUE, e.getReason());
                }
                return;
            case 7: // API AEADCipher.updateAAD: after the message is ILLEGAL_USE
                startGcm(Cipher.MODE_ENCRYPT, Data.IV);
                gcm.update(Data.PLAIN, (short) 0, (short) 16, out, (short) 0);
                try {
                    gcm.updateAAD(Data.AAD, (short) 0, (short) 4);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_USE, e.getReason());
                }
                return;
            case 8: // API AEADCipher: CCM holds what was announced
                startCcm(Cipher.MODE_ENCRYPT);
                try {
                    ccm.update(out, (short) 108, (short) 4, out, (short) 0);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_USE, e.getReason());
                }
                try {
                    ccm.updateAAD(out, (short) 100, (short) 9);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_VALUE, e.getReason());
                }
                ccm.updateAAD(out, (short) 100, (short) 8);
                try {
                    ccm.doFinal(out, (short) 108, (short) 22, out, (short) 0);
                    missed();
                } catch (CryptoException e) {
                    same(CryptoException.ILLEGAL_USE, e.getReason());
                }
                return;
            case 9: // API Cipher.ALG_AES_CTR, SP 800-38A F.5.1: in parts
                key.setKey(Data.CTR_KEY, (short) 0);
                Cipher ctr = Cipher.getInstance(Cipher.ALG_AES_CTR, false);
                ctr.init(key, Cipher.MODE_ENCRYPT, Data.CTR_FIRST, (short) 0, (short) 16);
                short n = ctr.update(Data.CTR_PLAIN, (short) 0, (short) 16, out, (short) 0);
                n += ctr.doFinal(Data.CTR_PLAIN, (short) 16, (short) 16, out, n);
                same((short) 32, n);
                check(equal(out, (short) 0, Data.CTR));
                return;
            case 10: // API Signature.verifyPreComputedHash, getCipherAlgorithm: of a hash from outside
                KeyPair pair = new KeyPair(KeyPair.ALG_EC_FP, KeyBuilder.LENGTH_EC_FP_256);
                pair.genKeyPair();
                Signature ecdsa = Signature.getInstance(
                        MessageDigest.ALG_SHA_256, Signature.SIG_CIPHER_ECDSA, Cipher.PAD_NULL, false);
                same((short) Signature.SIG_CIPHER_ECDSA, ecdsa.getCipherAlgorithm());
                same((short) MessageDigest.ALG_SHA_256, ecdsa.getMessageDigestAlgorithm());
                same((short) Signature.ALG_ECDSA_SHA_256, ecdsa.getAlgorithm());
                ecdsa.init(pair.getPrivate(), Signature.MODE_SIGN);
                short length = ecdsa.signPreComputedHash(Data.PLAIN, (short) 0, (short) 32, out, (short) 0);
                ecdsa.init(pair.getPublic(), Signature.MODE_VERIFY);
                check(ecdsa.verifyPreComputedHash(Data.PLAIN, (short) 0, (short) 32, out, (short) 0, length));
                check(!ecdsa.verifyPreComputedHash(Data.PLAIN, (short) 1, (short) 32, out, (short) 0, length));
                return;
            case 11: // API Signature.SIG_CIPHER_ECDSA_PLAIN: r and s
                KeyPair plain = new KeyPair(KeyPair.ALG_EC_FP, KeyBuilder.LENGTH_EC_FP_256);
                plain.genKeyPair();
                Signature rs = Signature.getInstance(
                        MessageDigest.ALG_SHA_256, Signature.SIG_CIPHER_ECDSA_PLAIN, Cipher.PAD_NULL, false);
                rs.init(plain.getPrivate(), Signature.MODE_SIGN);
                same((short) 64, rs.sign(Data.PLAIN, (short) 0, (short) 20, out, (short) 0));
                rs.init(plain.getPublic(), Signature.MODE_VERIFY);
                check(rs.verify(Data.PLAIN, (short) 0, (short) 20, out, (short) 0, (short) 64));
                return;
            case 12: // API KeyAgreement.ALG_EC_SVDP_DH_PLAIN_XY, ECKey.copyDomainParametersFrom: the whole point
                KeyPair one = new KeyPair(KeyPair.ALG_EC_FP, KeyBuilder.LENGTH_EC_FP_256);
                one.genKeyPair();
                ECPublicKey open = (ECPublicKey) one.getPublic();
                ECPrivateKey scalar = (ECPrivateKey) KeyBuilder.buildKey(
                        KeyBuilder.TYPE_EC_FP_PRIVATE, KeyBuilder.LENGTH_EC_FP_256, false);
                scalar.copyDomainParametersFrom(open);
                out[31] = (byte) 1;
                scalar.setS(out, (short) 0, (short) 32);
                check(scalar.isInitialized());
                short w = open.getW(out, (short) 0);
                KeyAgreement both = KeyAgreement.getInstance(KeyAgreement.ALG_EC_SVDP_DH_PLAIN_XY, false);
                both.init(scalar);
                same((short) 65, both.generateSecret(out, (short) 0, w, out, (short) 65));
                same((short) 0, Util.arrayCompare(out, (short) 0, out, (short) 65, (short) 65));
                return;
            case 13: // API RandomData.nextBytes: gives the end; the algorithm's number
                RandomData random = RandomData.getInstance(RandomData.ALG_KEYGENERATION);
                same((short) RandomData.ALG_KEYGENERATION, random.getAlgorithm());
                same((short) 9, random.nextBytes(out, (short) 1, (short) 8));
                return;
            case 14: // API Util.arrayFill: gives the end
                same((short) 6, Util.arrayFill(out, (short) 2, (short) 4, (byte) 9));
                same((short) 9, out[5]);
                same((short) 0, out[6]);
                return;
            case 15: // API OwnerPINBuilder: a PIN whose limit can be set
                OwnerPINx pin = (OwnerPINx) OwnerPINBuilder.buildOwnerPIN(
                        (byte) 3, (byte) 4, OwnerPINBuilder.OWNER_PIN_X);
                pin.update(Data.KEY, (short) 0, (byte) 4);
                same((short) 3, pin.getTryLimit());
                check(!pin.check(Data.KEY, (short) 1, (byte) 4));
                same((short) 2, pin.getTriesRemaining());
                pin.setTryLimit((byte) 5);
                same((short) 5, pin.getTryLimit());
                check(pin.check(Data.KEY, (short) 0, (byte) 4));
                check(OwnerPINBuilder.buildOwnerPIN((byte) 1, (byte) 1, OwnerPINBuilder.OWNER_PIN)
                        instanceof OwnerPIN);
                return;
            case 16: // API KeyBuilder.buildKey: by algorithm and memory
                AESKey fleeting = (AESKey) KeyBuilder.buildKey(
                        KeyBuilder.ALG_TYPE_AES, (byte) 1, KeyBuilder.LENGTH_AES_128, false);
                same((short) KeyBuilder.TYPE_AES_TRANSIENT_RESET, fleeting.getType());
                return;
            default:
                missed();
        }
    }
}
