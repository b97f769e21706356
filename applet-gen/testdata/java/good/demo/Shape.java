package demo;

interface Shape {
    short area();
}
