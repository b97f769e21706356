package demo;

abstract class Figure implements Shape {
    short colour() {
        return 7;
    }

    abstract boolean round();
}

class Square extends Figure {
    private final short side;

    Square(short side) {
        this.side = side;
    }

    public short area() {
        return (short) (side * side + colour());
    }

    boolean round() {
        return false;
    }
}
