package conformance.language;

interface Sized {
    short size();
}
