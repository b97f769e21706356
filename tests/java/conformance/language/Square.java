package conformance.language;

class Square implements Shape {
    protected short side;
    static short made;

    Square(short side) {
        this.side = side;
        made++;
        build();
    }

    /** Called by the constructor: the subclass's runs. */
    protected void build() {
        made = (short) (made + 10);
    }

    public short area() {
        return (short) (side * side);
    }

    public short size() {
        return side;
    }

    short twice() {
        return (short) (2 * size());
    }
}
