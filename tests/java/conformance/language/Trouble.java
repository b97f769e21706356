package conformance.language;

/** An exception of the package's own. */
class Trouble extends Exception {
    final short code;

    Trouble(short code) {
        this.code = code;
    }
}
