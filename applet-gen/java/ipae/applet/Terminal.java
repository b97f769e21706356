package ipae.applet;

import ipae.es10.Es10Port;
import uicc.toolkit.EnvelopeHandlerSystem;
import uicc.toolkit.ProactiveHandler;
import uicc.toolkit.ProactiveHandlerSystem;
import uicc.toolkit.ProactiveResponseHandler;
import uicc.toolkit.ProactiveResponseHandlerSystem;
import uicc.toolkit.TerminalProfile;
import uicc.toolkit.ToolkitConstants;
import uicc.toolkit.ToolkitException;
import uicc.toolkit.ViewHandler;

/**
 * Proactive commands, and what the applet reads in terminal responses and envelopes. The channel's
 * transport, plain TCP here, is all in this class: the layers above see bytes to send and bytes
 * received.
 */
abstract class Terminal extends Euicc {
    /** General result where the response has none: command data not understood. */
    private static final short NO_RESULT = 0x32;

    Terminal(Es10Port port) {
        super(port);
    }

    /** Whether the terminal's profile has this feature; none before TERMINAL PROFILE came. */
    static boolean hasFeature(short feature) {
        try {
            return TerminalProfile.check(feature);
        } catch (ToolkitException e) {
            return false;
        }
    }

    /** Whether a proactive command may be sent now. */
    static boolean handlerAvailable() {
        try {
            ProactiveHandlerSystem.getTheHandler();
            return true;
        } catch (ToolkitException e) {
            return false;
        }
    }

    /** The first TERMINAL PROFILE feature that is needed and missing, or -1. */
    final short missingFeature() {
        for (short i = 0; i < (short) Tables.NEEDED.length; i++) {
            if (!hasFeature(Tables.NEEDED[i])) {
                return Tables.NEEDED[i];
            }
        }
        return (short) -1;
    }

    private static ProactiveHandler begin(byte type, byte qualifier, byte device) {
        ProactiveHandler command = ProactiveHandlerSystem.getTheHandler();
        command.init(type, qualifier, device);
        return command;
    }

    /** Sends the command; gives the class of the terminal response and notes its result. */
    private byte send(ProactiveHandler command) {
        short general = NO_RESULT;
        short additional = 0;
        try {
            general = (short) (command.send() & 0xFF);
        } catch (ToolkitException e) {
            // A response without a result is no performed command; others did not even go out.
            if (e.getReason() != ToolkitException.UNAVAILABLE_ELEMENT) {
                put16(Tables.R_DETAIL, (short) (NO_RESULT << 8));
                return Tables.EV_TR_REFUSED;
            }
        }
        ProactiveResponseHandler response = ProactiveResponseHandlerSystem.getTheHandler();
        if (response.findTLV(Tables.TAG_RESULT, (byte) 1) != ToolkitConstants.TLV_NOT_FOUND
                && response.getValueLength() > 1) {
            additional = response.getValueByte((short) 1);
        }
        w[Tables.R_DETAIL] = (byte) general;
        w[(short) (Tables.R_DETAIL + 1)] = (byte) additional;
        if (general < 0x10) {
            return Tables.EV_TR_OK;
        }
        if (general == 0x20 || general == 0x21) {
            return Tables.EV_TR_BUSY;
        }
        if (general == 0x30) {
            return Tables.EV_TR_BEYOND;
        }
        return general == 0x3A ? Tables.EV_TR_BIP : Tables.EV_TR_REFUSED;
    }

    private static byte bcd(byte n) {
        return (byte) (n % 10 << 4 | n / 10);
    }

    final byte startTimer() {
        w[Tables.R_NO_TIMER] = 0;
        w[Tables.R_PROGRESS] = 0;
        ProactiveHandler command =
                begin(Tables.CMD_TIMER_MANAGEMENT, Tables.QUAL_TIMER_START, ToolkitConstants.DEV_ID_TERMINAL);
        command.appendTLV(Tables.TAG_TIMER_IDENTIFIER_CR, w[Tables.R_TIMER]);
        byte[] value = window();
        value[0] = bcd(w[Tables.R_DELAY]);
        value[1] = bcd(w[(short) (Tables.R_DELAY + 1)]);
        value[2] = bcd(w[(short) (Tables.R_DELAY + 2)]);
        command.appendTLV(Tables.TAG_TIMER_VALUE_CR, value, (short) 0, (short) 3);
        return send(command);
    }

    final byte openChannel() {
        if (w[Tables.R_ROUNDS] == 0) {
            return Tables.EV_EXHAUSTED;
        }
        w[Tables.R_ROUNDS]--;
        if (w[Tables.R_CHANNEL] != 0) {
            return Tables.EV_NEXT;
        }
        ProactiveHandler command =
                begin(Tables.CMD_OPEN_CHANNEL, Tables.QUAL_OPEN_IMMEDIATE, ToolkitConstants.DEV_ID_TERMINAL);
        command.appendArray(Tables.OPEN_ALPHA, (short) 0, (short) Tables.OPEN_ALPHA.length);
        command.appendTLV(Tables.TAG_BEARER_DESCRIPTION, w, Tables.R_BEARER, w[Tables.R_BEARER_LEN]);
        command.appendTLV(Tables.TAG_BUFFER_SIZE, Tables.CHANNEL_BUFFER);
        if (w[Tables.R_APN_LEN] != 0) {
            command.appendTLV(Tables.TAG_NETWORK_ACCESS_NAME, w, Tables.R_APN, w[Tables.R_APN_LEN]);
        }
        command.appendTLV(Tables.TAG_TRANSPORT_LEVEL, Tables.TCP_CLIENT_REMOTE, get16(Tables.R_EIM_PORT));
        short address = Tables.R_EIM_ADDRESS;
        byte[] type = Tables.ADDRESS_TYPE;
        command.appendTLV(
                Tables.TAG_OTHER_ADDRESS, type, (short) 0, (short) type.length, w, address, (short) 4);
        return send(command);
    }

    /** Notes the channel that OPEN CHANNEL opened. */
    final byte noteChannel() {
        ProactiveResponseHandler response = ProactiveResponseHandlerSystem.getTheHandler();
        byte channel = 0;
        if (response.findTLV(Tables.TAG_CHANNEL_STATUS, (byte) 1) != ToolkitConstants.TLV_NOT_FOUND
                && response.getValueLength() > 0) {
            channel = (byte) (response.getValueByte((short) 0) & 0x07);
        }
        if (channel == 0) {
            return Tables.EV_FAIL;
        }
        w[Tables.R_CHANNEL] = channel;
        return Tables.EV_START;
    }

    private byte channelDevice() {
        return (byte) (0x20 | w[Tables.R_CHANNEL]);
    }

    final byte closeChannel() {
        if (w[Tables.R_CHANNEL] == 0) {
            return Tables.EV_CLOSED;
        }
        return send(begin(Tables.CMD_CLOSE_CHANNEL, (byte) 0, channelDevice()));
    }

    /** Sends the block buffer. */
    final byte sendData() {
        ProactiveHandler command = begin(Tables.CMD_SEND_DATA, Tables.QUAL_SEND_IMMEDIATE, channelDevice());
        command.appendTLV(Tables.TAG_CHANNEL_DATA_CR, seg, (short) 0, get16(Tables.R_SEG_LEN));
        return send(command);
    }

    /** Asks for as many bytes as wait and the receive buffer takes. */
    final byte receiveData() {
        short most = (short) (w[Tables.R_AVAILABLE] & 0xFF);
        if (most == 0) {
            most = 1;
        } else if (most > Tables.BUFFER) {
            most = Tables.BUFFER;
        }
        ProactiveHandler command = begin(Tables.CMD_RECEIVE_DATA, (byte) 0, channelDevice());
        command.appendTLV(Tables.TAG_CHANNEL_DATA_LENGTH_CR, (byte) most);
        return send(command);
    }

    /** REFRESH, UICC reset. */
    final byte refresh() {
        return send(begin(Tables.CMD_REFRESH, Tables.QUAL_REFRESH_UICC_RESET, ToolkitConstants.DEV_ID_TERMINAL));
    }

    /** Whether the envelope is about the open channel; a channel status only if the link is lost. */
    final boolean channelConcerned(boolean lostOnly) {
        ViewHandler envelope = EnvelopeHandlerSystem.getTheHandler();
        if (w[Tables.R_CHANNEL] == 0
                || envelope.findTLV(Tables.TAG_CHANNEL_STATUS, (byte) 1) == ToolkitConstants.TLV_NOT_FOUND
                || envelope.getValueLength() == 0) {
            return false;
        }
        byte status = envelope.getValueByte((short) 0);
        return (byte) (status & 0x07) == w[Tables.R_CHANNEL] && !(lostOnly && status < 0);
    }

    /** Notes how many bytes wait in the terminal, as the Data Available event says. */
    final void noteAvailable() {
        noteAvailable(EnvelopeHandlerSystem.getTheHandler());
    }

    private void noteAvailable(ViewHandler handler) {
        byte available = 0;
        if (handler.findTLV(Tables.TAG_CHANNEL_DATA_LENGTH, (byte) 1) != ToolkitConstants.TLV_NOT_FOUND
                && handler.getValueLength() > 0) {
            available = handler.getValueByte((short) 0);
        }
        w[Tables.R_AVAILABLE] = available;
    }

    /** Takes the bytes of RECEIVE DATA to the receive buffer. */
    final void takeData() {
        ProactiveResponseHandler response = ProactiveResponseHandlerSystem.getTheHandler();
        short length = 0;
        if (response.findTLV(Tables.TAG_CHANNEL_DATA, (byte) 1) != ToolkitConstants.TLV_NOT_FOUND) {
            length = response.getValueLength();
            if (length > Tables.BUFFER) {
                length = Tables.BUFFER;
            }
            response.copyValue((short) 0, rx, (short) 0, length);
        }
        put16(Tables.R_RX_LEN, length);
        put16(Tables.R_RX_POS, (short) 0);
        if (length > 0) {
            w[Tables.R_PROGRESS] = 1;
        }
        noteAvailable(response);
    }

}
