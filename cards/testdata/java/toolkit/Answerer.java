package toolkit;

import javacard.framework.AID;
import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.Shareable;
import uicc.toolkit.EnvelopeHandlerSystem;
import uicc.toolkit.EnvelopeResponseHandler;
import uicc.toolkit.EnvelopeResponseHandlerSystem;
import uicc.toolkit.ProactiveHandler;
import uicc.toolkit.ProactiveHandlerSystem;
import uicc.toolkit.ToolkitInterface;
import uicc.toolkit.ToolkitRegistry;
import uicc.toolkit.ToolkitRegistrySystem;

/**
 * A menu entry that sends MORE TIME, and the control of calls, which it answers with the item that was chosen last.
 */
public final class Answerer extends Applet implements ToolkitInterface {
    private static final byte[] TEXT = {(byte) 'M', (byte) 'e', (byte) 'n', (byte) 'u'};
    private final ToolkitRegistry registry;
    private byte chosen;

    private Answerer(byte[] parameters, short offset) {
        register(parameters, (short) (offset + 1), parameters[offset]);
        registry = ToolkitRegistrySystem.getEntry();
        registry.initMenuEntry(TEXT, (short) 0, (short) TEXT.length, (byte) 0, false, (byte) 0, (short) 0);
        registry.setEvent((short) 9);
    }

    public static void install(byte[] parameters, short offset, byte length) {
        new Answerer(parameters, offset);
    }

    public Shareable getShareableInterfaceObject(AID client, byte parameter) {
        return client == null && parameter == 1 ? this : null;
    }

    public void process(APDU apdu) {
    }

    public void processToolkit(short event) {
        if (event == 7) {
            chosen = EnvelopeHandlerSystem.getTheHandler().getItemIdentifier();
            ProactiveHandler handler = ProactiveHandlerSystem.getTheHandler();
            handler.initMoreTime();
            handler.send();
            registry.disableMenuEntry(chosen);
        } else {
            EnvelopeResponseHandler answer = EnvelopeResponseHandlerSystem.getTheHandler();
            answer.appendTLV((byte) 0x90, chosen);
            answer.postAsBERTLV(false, (byte) 0x02);
        }
    }
}
