package conformance.runtime;

import conformance.base.Suite;
import javacard.framework.APDU;
import javacard.framework.APDUException;
import javacard.framework.ISO7816;
import javacard.framework.Util;

/** The APDU object: 80 30 case phase. */
public final class Apdus extends Suite {
    private byte[] own;

    private Apdus() {
        own = new byte[300];
    }

    public static void install(byte[] array, short offset, byte length) {
        new Apdus().register(array, (short) (offset + 1), array[offset]);
    }

    protected void run(short test, short phase, APDU apdu) {
        byte[] buffer = apdu.getBuffer();
        switch (test) {
            case 1: // API APDU.setIncomingAndReceive: command data [send 0102030405]
                same((short) 5, apdu.setIncomingAndReceive());
                same((short) 5, apdu.getIncomingLength());
                same((short) ISO7816.OFFSET_CDATA, apdu.getOffsetCdata());
                same((short) 1, buffer[5]);
                same((short) 5, buffer[9]);
                return;
            case 2: // API APDU.setOutgoing*: response data [le 00, data 0A0B0C]
                short le = apdu.setOutgoing();
                same((short) 256, le);
                apdu.setOutgoingLength((short) 3);
                buffer[0] = (byte) 10;
                buffer[1] = (byte) 11;
                buffer[2] = (byte) 12;
                apdu.sendBytes((short) 0, (short) 3);
                return;
            case 3: // API APDU.sendBytesLong: from another array, in several parts [le 04, data 11223344]
                own[0] = (byte) 0x11;
                own[1] = (byte) 0x22;
                own[299] = (byte) 0x44;
                apdu.setOutgoing();
                apdu.setOutgoingLength((short) 4);
                apdu.sendBytesLong(own, (short) 0, (short) 2);
                buffer[0] = (byte) 0x33;
                apdu.sendBytes((short) 0, (short) 1);
                apdu.sendBytesLong(own, (short) 299, (short) 1);
                return;
            case 4: // API APDU.setOutgoingAndSend: command and response data [send AABB, le 00, data BBAA]
                apdu.setIncomingAndReceive();
                byte first = buffer[5];
                buffer[5] = buffer[6];
                buffer[6] = first;
                apdu.setOutgoingAndSend((short) 5, (short) 2);
                return;
            case 5: // API APDU: receiving twice is ILLEGAL_USE [send 01]
                apdu.setIncomingAndReceive();
                try {
                    apdu.setIncomingAndReceive();
                    missed();
                } catch (APDUException e) {
                    same(APDUException.ILLEGAL_USE, e.getReason());
                }
                return;
            case 6: // API APDU: receiving after setOutgoing is ILLEGAL_USE [send 01]
                apdu.setOutgoing();
                try {
                    apdu.setIncomingAndReceive();
                    missed();
                } catch (APDUException e) {
                    same(APDUException.ILLEGAL_USE, e.getReason());
                }
                return;
            case 7: // API APDU: sending before setOutgoing, and before its length, is ILLEGAL_USE
                try {
                    apdu.sendBytes((short) 0, (short) 1);
                    missed();
                } catch (APDUException e) {
                    same(APDUException.ILLEGAL_USE, e.getReason());
                }
                apdu.setOutgoing();
                try {
                    apdu.sendBytes((short) 0, (short) 1);
                    missed();
                } catch (APDUException e) {
                    same(APDUException.ILLEGAL_USE, e.getReason());
                }
                return;
            case 8: // API APDU: setOutgoing twice is ILLEGAL_USE
                apdu.setOutgoing();
                try {
                    apdu.setOutgoing();
                    missed();
                } catch (APDUException e) {
                    same(APDUException.ILLEGAL_USE, e.getReason());
                }
                return;
            case 9: // API APDU.setOutgoingLength: more than 256 and less than 0 is BAD_LENGTH
                apdu.setOutgoing();
                try {
                    apdu.setOutgoingLength((short) 257);
                    missed();
                } catch (APDUException e) {
                    same(APDUException.BAD_LENGTH, e.getReason());
                }
                try {
                    apdu.setOutgoingLength((short) -1);
                    missed();
                } catch (APDUException e) {
                    same(APDUException.BAD_LENGTH, e.getReason());
                }
                return;
            case 10: // API APDU.sendBytes: outside the buffer is BUFFER_BOUNDS
                apdu.setOutgoing();
                apdu.setOutgoingLength((short) 4);
                try {
                    apdu.sendBytes((short) buffer.length, (short) 1);
                    missed();
                } catch (APDUException e) {
                    same(APDUException.BUFFER_BOUNDS, e.getReason());
                }
                return;
            case 11: // API APDU.sendBytes: more than setOutgoingLength said is ILLEGAL_USE [data 0102]
                buffer[0] = (byte) 1;
                buffer[1] = (byte) 2;
                apdu.setOutgoing();
                apdu.setOutgoingLength((short) 2);
                try {
                    apdu.sendBytes((short) 0, (short) 3);
                    missed();
                } catch (APDUException e) {
                    same(APDUException.ILLEGAL_USE, e.getReason());
                }
                apdu.sendBytes((short) 0, (short) 2);
                return;
            case 12: // API APDU.getCurrentState: from INITIAL to FULL_OUTGOING [send 0102, le 00, data 80]
                same((short) APDU.STATE_INITIAL, apdu.getCurrentState());
                apdu.setIncomingAndReceive();
                same((short) APDU.STATE_FULL_INCOMING, apdu.getCurrentState());
                apdu.setOutgoing();
                same((short) APDU.STATE_OUTGOING, apdu.getCurrentState());
                apdu.setOutgoingLength((short) 1);
                same((short) APDU.STATE_OUTGOING_LENGTH_KNOWN, apdu.getCurrentState());
                apdu.sendBytes((short) 0, (short) 1);
                same((short) APDU.STATE_FULL_OUTGOING, apdu.getCurrentState());
                return;
            case 13: // API APDU.getCurrentAPDU: while a command is processed
                check(APDU.getCurrentAPDU() == apdu);
                check(APDU.getCurrentAPDUBuffer() == buffer);
                return;
            case 14: // API APDU: the header is in the buffer, and the buffer holds 133 bytes at least
                same((short) (byte) 0x80, buffer[ISO7816.OFFSET_CLA]);
                same((short) 0x30, buffer[ISO7816.OFFSET_INS]);
                same((short) 14, buffer[ISO7816.OFFSET_P1]);
                check(buffer.length >= 133);
                return;
            case 15: // API APDU: class byte, channel and protocol
                same((short) 0, APDU.getCLAChannel());
                check(!apdu.isISOInterindustryCLA());
                check(!apdu.isSecureMessagingCLA());
                check(!apdu.isCommandChainingCLA());
                check((APDU.getProtocol() & 0x0F) <= 1);
                check(APDU.getInBlockSize() >= 1 && APDU.getOutBlockSize() >= 1);
                return;
            case 16: // API APDU.waitExtension: asks for time
                APDU.waitExtension();
                check(true);
                return;
            case 17: // API APDU.receiveBytes: after all data there is none [send 010203]
                same((short) 3, apdu.setIncomingAndReceive());
                same((short) 0, apdu.receiveBytes((short) 8));
                return;
            case 18: // API APDU.setOutgoingNoChaining: as setOutgoing [le 02, data 5A5A]
                apdu.setOutgoingNoChaining();
                apdu.setOutgoingLength((short) 2);
                Util.arrayFillNonAtomic(buffer, (short) 0, (short) 2, (byte) 0x5A);
                apdu.sendBytes((short) 0, (short) 2);
                return;
            case 19: // JCRE 9.4: 255 bytes in, 256 bytes out [send+255, le 00, data+256]
                same((short) 255, apdu.setIncomingAndReceive());
                same((short) 0, buffer[5]);
                same((short) -2, buffer[259]);
                for (short i = (short) 0; i < 256; i++) {
                    own[i] = (byte) i;
                }
                apdu.setOutgoing();
                apdu.setOutgoingLength((short) 256);
                apdu.sendBytesLong(own, (short) 0, (short) 256);
                return;
            case 20: // API APDU.sendBytesLong: no array [data 5C]
                apdu.setOutgoing();
                apdu.setOutgoingLength((short) 1);
                try {
                    apdu.sendBytesLong(null, (short) 0, (short) 1);
                    missed();
                } catch (NullPointerException e) {
                    check(true);
                }
                own[0] = (byte) 0x5C;
                apdu.sendBytesLong(own, (short) 0, (short) 1);
                return;
            default:
                missed();
        }
    }
}
