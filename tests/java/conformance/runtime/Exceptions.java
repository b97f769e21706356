package conformance.runtime;

import conformance.base.Suite;
import javacard.framework.APDU;
import javacard.framework.APDUException;
import javacard.framework.CardException;
import javacard.framework.CardRuntimeException;
import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.PINException;
import javacard.framework.SystemException;
import javacard.framework.TransactionException;
import javacard.framework.UserException;
import javacard.security.CryptoException;

/** Exceptions of the API, and what becomes of those that nobody catches. */
public final class Exceptions extends Suite {
    private Exceptions() {}

    public static void install(byte[] array, short offset, byte length) {
        new Exceptions().register(array, (short) (offset + 1), array[offset]);
    }

    protected void run(short test, short phase, APDU apdu) {
        switch (test) {
            case 1: // API CardRuntimeException: throwIt and its reason, class by class
                same((short) 0x111, thrown((short) 0));
                same((short) 0x222, thrown((short) 1));
                same((short) 0x333, thrown((short) 2));
                same((short) 0x444, thrown((short) 3));
                same((short) 0x555, thrown((short) 4));
                same((short) 0x666, thrown((short) 5));
                same((short) 0x777, thrown((short) 6));
                return;
            case 2: // API CardException, UserException: checked exceptions
                try {
                    UserException.throwIt((short) 0x123);
                    missed();
                } catch (UserException e) {
                    same((short) 0x123, e.getReason());
                }
                try {
                    CardException.throwIt((short) 0x124);
                    missed();
                } catch (CardException e) {
                    check(!(e instanceof UserException));
                    same((short) 0x124, e.getReason());
                }
                return;
            case 3: // API CardRuntimeException.setReason: an object's own reason
                CardRuntimeException own = new CardRuntimeException((short) 5);
                same((short) 5, own.getReason());
                own.setReason((short) -6);
                same((short) -6, own.getReason());
                try {
                    throw own;
                } catch (CardRuntimeException e) {
                    check(e == own);
                }
                return;
            case 4: // JCRE 3.3, 9.1: an ISOException's reason is the status word [sw 6A80]
                ISOException.throwIt(ISO7816.SW_WRONG_DATA);
                return;
            case 5: // JCRE 3.3: any other exception that is not caught is 6F00 [sw 6F00]
                byte[] none = null;
                none[0] = (byte) 1;
                return;
            case 6: // JCRE 3.3: one of the API's too [sw 6F00]
                UserExceptions.runtime();
                return;
            case 7: // JCRE 3.3: the next command finds the applet well [sw 6F00, next]
                if (phase == 0) {
                    throw new ArithmeticException();
                }
                check(true);
                return;
            case 8: // API ISOException: 9000 as a reason [sw 9000]
                ISOException.throwIt(ISO7816.SW_NO_ERROR);
                return;
            case 9: // JCRE 9.3: data that was sent comes with the status word [le 00, sw 6283, data 77]
                byte[] buffer = apdu.getBuffer();
                buffer[0] = (byte) 0x77;
                apdu.setOutgoingAndSend((short) 0, (short) 1);
                ISOException.throwIt((short) 0x6283);
                return;
            case 10: // JLS 11: the API's exceptions are RuntimeExceptions
                try {
                    ISOException.throwIt((short) 1);
                    missed();
                } catch (RuntimeException e) {
                    check(e instanceof CardRuntimeException);
                    check(e instanceof ISOException);
                    check(!(e instanceof ArithmeticException));
                }
                return;
            default:
                missed();
        }
    }

    private static final class UserExceptions {
        static void runtime() {
            TransactionException.throwIt((short) 3);
        }
    }

    private static short thrown(short which) {
        try {
            switch (which) {
                case 0:
                    CardRuntimeException.throwIt((short) 0x111);
                case 1:
                    ISOException.throwIt((short) 0x222);
                case 2:
                    SystemException.throwIt((short) 0x333);
                case 3:
                    APDUException.throwIt((short) 0x444);
                case 4:
                    PINException.throwIt((short) 0x555);
                case 5:
                    TransactionException.throwIt((short) 0x666);
                default:
                    CryptoException.throwIt((short) 0x777);
            }
        } catch (CryptoException e) {
            return e.getReason();
        } catch (PINException e) {
            return e.getReason();
        } catch (CardRuntimeException e) {
            return e.getReason();
        }
        return (short) 0;
    }
}
