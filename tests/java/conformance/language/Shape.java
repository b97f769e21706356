package conformance.language;

/** An interface with a superinterface, for dispatch. */
interface Shape extends Sized {
    short CORNERS = (short) 7;

    short area();
}
