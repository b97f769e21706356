package conformance.language;

final class Cube extends Square {
    private final short faces = (short) 6;

    Cube(short side) {
        super(side);
    }

    protected void build() {
        made = (short) (made + 100);
    }

    public short area() {
        return (short) (faces * super.area());
    }

    public short size() {
        return (short) (super.size() + 1);
    }
}
