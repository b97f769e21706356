package toolkit;

import javacard.framework.AID;
import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Shareable;
import javacard.framework.Util;
import org.globalplatform.Application;
import uicc.toolkit.EnvelopeHandler;
import uicc.toolkit.EnvelopeHandlerSystem;
import uicc.toolkit.ProactiveHandler;
import uicc.toolkit.ProactiveHandlerSystem;
import uicc.toolkit.ProactiveResponseHandler;
import uicc.toolkit.ProactiveResponseHandlerSystem;
import uicc.toolkit.TerminalProfile;
import uicc.toolkit.ToolkitException;
import uicc.toolkit.ToolkitInterface;
import uicc.toolkit.ToolkitRegistry;
import uicc.toolkit.ToolkitRegistrySystem;

/**
 * Does with the toolkit what the events tell it, and keeps a log of what it saw, which 80B0 reads. Each
 * entry of the log is a short.
 */
public final class Beacon extends Applet implements ToolkitInterface, Application {
    private final ToolkitRegistry registry;
    private final byte[] log = new byte[64];
    private short end;
    private final byte timer;

    private Beacon(byte[] parameters, short offset) {
        register(parameters, (short) (offset + 1), parameters[offset]);
        registry = ToolkitRegistrySystem.getEntry();
        registry.setEvent((short) 1);
        registry.setEvent((short) 22);
        registry.setEvent((short) 23);
        timer = registry.allocateTimer();
        registry.requestPollInterval((short) -1);
        try {
            registry.setEvent((short) 19);
        } catch (ToolkitException e) {
            note((short) (0x1900 + e.getReason()));
        }
    }

    public static void install(byte[] parameters, short offset, byte length) {
        new Beacon(parameters, offset);
    }

    public Shareable getShareableInterfaceObject(AID client, byte parameter) {
        return client == null && parameter == 1 ? this : null;
    }

    private void note(short value) {
        if (end < log.length) {
            end = Util.setShort(log, end, value);
        }
    }

    public void process(APDU apdu) {
        byte[] buffer = apdu.getBuffer();
        if (selectingApplet()) {
            return;
        }
        switch (buffer[1]) {
            case (byte) 0xB0:
                short length = end;
                end = 0;
                Util.arrayCopyNonAtomic(log, (short) 0, buffer, (short) 0, length);
                apdu.setOutgoingAndSend((short) 0, length);
                return;
            case (byte) 0xB2:
                // The handler is for processToolkit() only.
                try {
                    ProactiveHandlerSystem.getTheHandler();
                } catch (ToolkitException e) {
                    note((short) (0x2200 + e.getReason()));
                }
                registry.setEvent((short) 123);
                return;
            default:
                ISOException.throwIt((short) 0x6D00);
        }
    }

    public void processData(byte[] buffer, short offset, short length) {
        note(Util.getShort(buffer, (short) (offset + 5)));
        note(length);
    }

    public void processToolkit(short event) {
        note(event);
        switch (event) {
            case 1:
                note(TerminalProfile.check((short) 0) ? (short) 1 : (short) 0);
                openChannel();
                break;
            case 11:
                EnvelopeHandler envelope = EnvelopeHandlerSystem.getTheHandler();
                envelope.findTLV((byte) 0x24, (byte) 1);
                note(envelope.getValueByte((short) 0));
                break;
            case 22:
                receive();
                break;
            case 123:
                more();
                break;
            default:
        }
    }

    private void openChannel() {
        ProactiveHandler handler = ProactiveHandlerSystem.getTheHandler();
        handler.init((byte) 0x40, (byte) 1, (byte) 0x82);
        handler.appendTLV((byte) 0xB5, (byte) 3);
        handler.appendTLV((byte) 0xB9, (short) 255);
        handler.appendTLV((byte) 0xBC, (byte) 2, (short) 8080);
        byte result = handler.send();
        ProactiveResponseHandler response = ProactiveResponseHandlerSystem.getTheHandler();
        note(result);
        note(response.getGeneralResult());
        if (result == 0) {
            note(response.getChannelIdentifier());
        }
    }

    private void receive() {
        EnvelopeHandler envelope = EnvelopeHandlerSystem.getTheHandler();
        byte channel = envelope.getChannelIdentifier();
        note(envelope.getChannelStatus(channel));
        ProactiveHandler handler = ProactiveHandlerSystem.getTheHandler();
        handler.init((byte) 0x42, (byte) 0, (byte) (0x20 + channel));
        handler.appendTLV((byte) 0xB7, (byte) 200);
        handler.send();
        ProactiveResponseHandler response = ProactiveResponseHandlerSystem.getTheHandler();
        byte[] buffer = uicc.system.UICCPlatform.getTheVolatileByteArray();
        short length = response.findAndCopyValue((byte) 0x36, buffer, (short) 0);
        note(length);
        note(Util.getShort(buffer, (short) 0));
        // The envelope is still the one of this event.
        note(EnvelopeHandlerSystem.getTheHandler().getTag());
        handler.initCloseChannel(channel);
        note(handler.send());
        // The channel is no longer this applet's.
        handler.init((byte) 0x42, (byte) 0, (byte) (0x20 + channel));
        try {
            handler.send();
        } catch (ToolkitException e) {
            note((short) (0x4200 + e.getReason()));
        }
    }

    private void more() {
        ProactiveHandler handler = ProactiveHandlerSystem.getTheHandler();
        // send() aborts an open transaction: what was noted in it is gone.
        JCSystem.beginTransaction();
        note((short) 0x7700);
        handler.initMoreTime();
        byte result = handler.send();
        note((short) (0x7600 + JCSystem.getTransactionDepth()));
        note(result);
        handler.init((byte) 0x01, (byte) 3, (byte) 0x82);
        note(handler.send());
    }
}
