package conformance.base;

import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.ISO7816;
import javacard.framework.ISOException;

/**
 * An applet that is a group of cases. Command 80 30 CASE PHASE runs a case: 9000 if every assertion holds,
 * 6Bnn if assertion nn does not, and whatever else the case throws. 80 32 gives what the last failing
 * comparison expected and found.
 */
public abstract class Suite extends Applet {
    public static final byte INS_RUN = (byte) 0x30;
    public static final byte INS_FOUND = (byte) 0x32;
    static final short SW_ASSERTION = (short) 0x6B00;

    private short step;
    private short expected;
    private short found;

    protected Suite() {}

    /** Runs a case. The APDU is as it came: nothing was received. */
    protected abstract void run(short test, short phase, APDU apdu);

    public void process(APDU apdu) {
        if (selectingApplet()) {
            return;
        }
        byte[] buffer = apdu.getBuffer();
        switch (buffer[ISO7816.OFFSET_INS]) {
            case INS_RUN:
                step = (short) 0;
                run((short) (buffer[ISO7816.OFFSET_P1] & 0xFF), (short) buffer[ISO7816.OFFSET_P2], apdu);
                return;
            case INS_FOUND:
                buffer[0] = (byte) (expected >> 8);
                buffer[1] = (byte) expected;
                buffer[2] = (byte) (found >> 8);
                buffer[3] = (byte) found;
                apdu.setOutgoingAndSend((short) 0, (short) 4);
                return;
            default:
                ISOException.throwIt(ISO7816.SW_INS_NOT_SUPPORTED);
        }
    }

    /** Asserts. */
    protected final void check(boolean holds) {
        step++;
        if (!holds) {
            expected = (short) 1;
            found = (short) 0;
            ISOException.throwIt((short) (SW_ASSERTION + step));
        }
    }

    /** Asserts that two numbers are equal. */
    protected final void same(short expected, short found) {
        step++;
        if (expected != found) {
            this.expected = expected;
            this.found = found;
            ISOException.throwIt((short) (SW_ASSERTION + step));
        }
    }

    /** What must not be reached: an exception should have been thrown. */
    protected final void missed() {
        check(false);
    }
}
