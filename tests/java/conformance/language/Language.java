package conformance.language;

import conformance.base.Suite;
import javacard.framework.APDU;

/** Instructions and language. */
public final class Language extends Suite {
    private short trail;
    private short counter;
    private Inner inner;

    /** A nested class. */
    private static final class Inner {
        private short value = (short) 3;
        Inner next;

        private short add(short other) {
            value = (short) (value + other);
            return value;
        }
    }

    private Language() {}

    public static void install(byte[] array, short offset, byte length) {
        new Language().register(array, (short) (offset + 1), array[offset]);
    }

    protected void run(short test, short phase, APDU apdu) {
        short a = phase;
        switch (test) {
            case 1: // JCVM 7.5 sadd: addition wraps at 16 bits
                short big = (short) (0x7FFF + a);
                big++;
                same((short) 0x8000, big);
                return;
            case 2: // JCVM 7.5 smul: multiplication keeps the low 16 bits
                short m = (short) (300 + a);
                same((short) 24464, (short) (m * m));
                return;
            case 3: // JCVM 7.5 sdiv: division truncates towards zero
                short seven = (short) (7 + a);
                same((short) -3, (short) ((short) -seven / 2));
                same((short) -3, (short) (seven / -2));
                same((short) 3, (short) ((short) -seven / -2));
                return;
            case 4: // JCVM 7.5 sdiv: the one overflow is the smallest number itself
                short least = (short) (-32768 + a);
                same((short) -32768, (short) (least / (short) (a - 1)));
                return;
            case 5: // JCVM 7.5 srem: the remainder has the dividend's sign
                short t = (short) (7 + a);
                same((short) 1, (short) (t % 3));
                same((short) -1, (short) ((short) -t % 3));
                same((short) 1, (short) (t % -3));
                return;
            case 6: // JCVM 7.5: division and remainder by zero
                divisions(a);
                return;
            case 7: // JCVM 7.5 sneg: the smallest number is its own negative
                short low = (short) (-32768 + a);
                same((short) -32768, (short) -low);
                same((short) 5, (short) -(short) (a - 5));
                return;
            case 8: // JCVM 7.5: shifts use the low five bits of the distance
                shifts((short) (0x4001 + a), (short) (1 + a));
                return;
            case 9: // JCVM 7.5: and, or, xor
                short bits = (short) (0x0FF0 + a);
                same((short) 0x00F0, (short) (bits & 0x00FF));
                same((short) 0x0FFF, (short) (bits | 0x000F));
                same((short) 0xF00F, (short) (bits ^ 0xFFFF));
                same((short) 0xF00F, (short) ~bits);
                return;
            case 10: // JCVM 7.5 s2b: a cast to byte keeps eight bits and their sign
                short w = (short) (0x1280 + a);
                same((short) -128, (byte) w);
                same((short) 0x7F, (byte) (w - 1));
                return;
            case 11: // JLS 5.1.2: a byte is widened with its sign, & 0xFF takes it off
                byte negative = (byte) (0xF0 + a);
                same((short) -16, negative);
                same((short) 0xF0, (short) (negative & 0xFF));
                return;
            case 12: // JCVM 7.5 sinc: byte and short counters wrap
                byte b = (byte) (127 + a);
                b++;
                same((short) -128, b);
                short s = a;
                s += 127;
                s -= 128;
                s += 1000;
                same((short) 999, s);
                return;
            case 13: // JCVM 7.5 stableswitch: every case and the default
                same((short) 100, table(a));
                same((short) 102, table((short) (a + 2)));
                same((short) 103, table((short) (a + 3)));
                same((short) -1, table((short) (a + 4)));
                same((short) -1, table((short) (a - 1)));
                same((short) -1, table((short) (a - 32768)));
                return;
            case 14: // JCVM 7.5 slookupswitch: scattered cases, negative ones too
                same((short) 1, lookup((short) (a - 30000)));
                same((short) 2, lookup((short) (a - 1)));
                same((short) 3, lookup((short) (a + 500)));
                same((short) 4, lookup((short) (a + 0x7FFF)));
                same((short) 0, lookup((short) (a + 501)));
                return;
            case 15: // JLS 14.11: cases fall through
                trail = (short) 0;
                fall(a);
                same((short) 0x0123, trail);
                return;
            case 16: // JLS 15.23, 15.24: the right side is computed only if it matters
                trail = (short) 0;
                check(!(step((short) 1, false) && step((short) 2, true)));
                check(step((short) 3, true) || step((short) 4, true));
                same((short) 0x13, trail);
                return;
            case 17: // JLS 15.7: operands from left to right
                trail = (short) 0;
                short sum = (short) (number((short) 1) + number((short) 2) * number((short) 3));
                same((short) 7, sum);
                same((short) 0x123, trail);
                short[] slots = new short[3];
                short at = a;
                slots[at++] = at;
                slots[at++] = at;
                same((short) 1, slots[0]);
                same((short) 2, slots[1]);
                return;
            case 18: // JLS 14.15, 14.16: labelled break and continue
                same((short) 9, loops(a));
                return;
            case 19: // JLS 14.13: do, while and for
                short n = a;
                short rounds = (short) 0;
                do {
                    rounds++;
                } while (n > 0);
                while (n < 3) {
                    n++;
                    rounds++;
                }
                for (short i = (short) 10; i > 0; i -= 3) {
                    rounds++;
                }
                same((short) 8, rounds);
                return;
            case 20: // JCVM 7.5 newarray: elements are zero, false or null
                byte[] nb = new byte[5];
                short[] ns = new short[5];
                boolean[] nz = new boolean[5];
                Object[] no = new Object[5];
                same((short) 0, nb[4]);
                same((short) 0, ns[4]);
                check(!nz[4]);
                check(no[4] == null);
                same((short) 20, (short) (nb.length + ns.length + nz.length + no.length));
                return;
            case 21: // JCVM 7.5: byte and short elements keep their signs
                byte[] eb = new byte[2];
                short[] es = new short[2];
                eb[1] = (byte) (0xFF + a);
                es[1] = (short) (0xFFFE + a);
                same((short) -1, eb[1]);
                same((short) -2, es[1]);
                eb[1] += 200;
                same((short) -57, eb[1]);
                eb[1] <<= 1;
                same((short) -114, eb[1]);
                es[1]--;
                same((short) -3, es[1]);
                return;
            case 22: // JCVM 7.5: an index below zero or past the end
                bounds(new byte[2], new short[2], new Object[2], (short) (a - 1));
                bounds(new byte[2], new short[2], new Object[2], (short) (a + 2));
                return;
            case 23: // JCVM 7.5 newarray: a negative length
                try {
                    byte[] bad = new byte[(short) (a - 1)];
                    missed();
                    bad[0] = (byte) 0;
                } catch (NegativeArraySizeException e) {
                    check(true);
                }
                return;
            case 24: // JCVM 7.5: null is refused wherever an object is needed
                nulls(null, null, null);
                return;
            case 25: // JCVM 7.5 aastore: elements of the wrong class
                Object[] squares = new Square[2];
                squares[0] = new Cube(a);
                squares[1] = null;
                try {
                    squares[1] = new byte[1];
                    missed();
                } catch (ArrayStoreException e) {
                    check(squares[1] == null);
                }
                return;
            case 26: // JCVM 7.5 checkcast: class, interface, array, null
                casts(new Square(a), new byte[1], new Square[1]);
                return;
            case 27: // JCVM 7.5 instanceof: class, interface, array, null
                instances(new Cube(a), new Square(a), new byte[1], new Cube[1]);
                return;
            case 28: // JCVM 7.5 invokevirtual: the object's class decides
                Square square = new Cube((short) (a + 3));
                same((short) 54, square.area());
                same((short) 8, square.twice());
                return;
            case 29: // JCVM 7.5 invokeinterface: of the interface and of its superinterface
                Shape shape = new Square((short) (a + 5));
                same((short) 25, shape.area());
                same((short) 5, shape.size());
                Sized sized = new Cube((short) (a + 5));
                same((short) 6, sized.size());
                same((short) 7, Shape.CORNERS);
                return;
            case 30: // JCVM 7.5 invokespecial: super calls, and constructors that call down
                Square.made = (short) 0;
                new Cube(a);
                same((short) 101, Square.made);
                new Square(a);
                same((short) 112, Square.made);
                return;
            case 31: // JCVM 2.2.4.6: static fields start with the values of the class
                same((short) -5, Statics.small);
                same((short) 0x1234, Statics.large);
                check(Statics.flag);
                same((short) -125, Statics.bytes[2]);
                same((short) 0x1122, Statics.shorts[0]);
                same((short) -1, Statics.shorts[1]);
                check(Statics.flags[0] && !Statics.flags[1] && Statics.flags[2]);
                check(Statics.nothing == null);
                return;
            case 32: // JCVM 7.5 putstatic: static fields keep what is stored, a reset too [reset]
                if (a == 0) {
                    Statics.SHARED[0] = (byte) 77;
                    return;
                }
                same((short) 77, Statics.SHARED[0]);
                Statics.SHARED[0] = (byte) 9;
                return;
            case 33: // JLS 14.20.2: finally runs after return, break and an exception
                trail = (short) 0;
                same((short) 5, finals((short) 0));
                same((short) 0x12, trail);
                trail = (short) 0;
                same((short) 6, finals((short) 1));
                same((short) 0x132, trail);
                trail = (short) 0;
                same((short) 8, finals((short) 2));
                same((short) 0x124, trail);
                return;
            case 34: // JCVM 7.5 athrow: the nearest handler whose class fits
                same((short) 1, caught((short) 0));
                same((short) 2, caught((short) 1));
                same((short) 3, caught((short) 2));
                same((short) 4, caught((short) 3));
                return;
            case 35: // JLS 11.3: an exception unwinds several calls
                try {
                    dive((short) 4);
                    missed();
                } catch (Trouble e) {
                    same((short) 44, e.code);
                }
                return;
            case 36: // JCVM 7.5 athrow: null is thrown as NullPointerException
                try {
                    RuntimeException none = null;
                    if (a == 0) {
                        throw none;
                    }
                    missed();
                } catch (NullPointerException e) {
                    check(true);
                }
                return;
            case 37: // JLS 15.12: recursion, and arguments of their own
                same((short) 120, factorial((short) 5));
                return;
            case 38: // JLS 8.5: a nested class and its private members
                inner = new Inner();
                inner.next = new Inner();
                inner.next.value = (short) 40;
                same((short) 8, inner.add((short) 5));
                same((short) 42, inner.next.add((short) 2));
                return;
            case 39: // JCVM 7.5: fields of this and of another object
                counter = (short) 1000;
                counter += 24;
                counter >>= 2;
                same((short) 256, counter);
                same((short) 256, counter++);
                same((short) 258, ++counter);
                Language other = this;
                other.counter = (short) -1;
                same((short) -1, counter);
                return;
            case 40: // JCVM 7.5: comparisons, signed
                comparisons((short) (-32768 + a), (short) (32767 + a));
                return;
            case 41: // JLS 15.21.3: references are equal if the object is one
                Object first = new Object();
                Object second = new Object();
                check(first != second);
                check(first.equals(first) && !first.equals(second));
                second = first;
                check(first == second);
                return;
            case 42: // JLS 15.25: conditional expressions nest
                same((short) 3, (short) (a > 0 ? 1 : a < 0 ? 2 : 3));
                return;
            case 43: // JCVM 7.5 goto_w: branches over more than 127 bytes
                same((short) 210, far((short) (a + 20)));
                return;
            case 44: // JCVM 4.3.7.7: methods of a superclass in another package
                Suite suite = this;
                check(suite == this);
                Child child = new Child();
                same((short) 11, child.visible());
                return;
            default:
                missed();
        }
    }

    /** Shadows a package-visible method of a class in this package. */
    private static class Parent {
        short hidden() {
            return (short) 1;
        }

        short visible() {
            return (short) (hidden() + 1);
        }
    }

    private static final class Child extends Parent {
        short hidden() {
            return (short) 10;
        }
    }

    private void divisions(short zero) {
        short count = (short) 0;
        try {
            count = (short) (5 / zero);
            missed();
        } catch (ArithmeticException e) {
            count++;
        }
        try {
            count = (short) (5 % zero);
            missed();
        } catch (ArithmeticException e) {
            count++;
        }
        same((short) 2, count);
    }

    private void shifts(short value, short one) {
        same((short) 0x8002, (short) (value << one));
        same((short) 0x2000, (short) (value >> one));
        same((short) -2, (short) ((short) (-8 * one) >> 2));
        same((short) 0, (short) (value << (16 * one)));
        same(value, (short) (value << (32 * one)));
        same((short) -1, (short) ((short) (-one) >> 15));
        same((short) 0x2000, (short) ((short) (value & 0x7FFF) >>> one));
    }

    private static short table(short value) {
        switch (value) {
            case 0:
                return (short) 100;
            case 1:
                return (short) 101;
            case 2:
                return (short) 102;
            case 3:
                return (short) 103;
            default:
                return (short) -1;
        }
    }

    private static short lookup(short value) {
        switch (value) {
            case -30000:
                return (short) 1;
            case -1:
                return (short) 2;
            case 500:
                return (short) 3;
            case 0x7FFF:
                return (short) 4;
            default:
                return (short) 0;
        }
    }

    private void mark(short digit) {
        trail = (short) ((short) (trail << 4) | digit);
    }

    private void fall(short value) {
        switch (value) {
            case 0:
                mark((short) 1);
            case 1:
                mark((short) 2);
            default:
                mark((short) 3);
                break;
            case 9:
                mark((short) 9);
        }
    }

    private boolean step(short digit, boolean result) {
        mark(digit);
        return result;
    }

    private short number(short digit) {
        mark(digit);
        return digit;
    }

    private static short loops(short start) {
        short sum = start;
        outer:
        for (short i = (short) 0; i < 5; i++) {
            for (short j = (short) 0; j < 5; j++) {
                if (j == i) {
                    continue outer;
                }
                if (i == 4) {
                    break outer;
                }
                sum++;
            }
        }
        return (short) (sum + 3);
    }

    private void bounds(byte[] bytes, short[] shorts, Object[] objects, short index) {
        short count = (short) 0;
        try {
            bytes[index] = (byte) 1;
        } catch (ArrayIndexOutOfBoundsException e) {
            count++;
        }
        try {
            count += bytes[index];
        } catch (ArrayIndexOutOfBoundsException e) {
            count++;
        }
        try {
            shorts[index] = (short) 1;
        } catch (ArrayIndexOutOfBoundsException e) {
            count++;
        }
        try {
            objects[index] = null;
        } catch (IndexOutOfBoundsException e) {
            count++;
        }
        same((short) 4, count);
    }

    private void nulls(byte[] bytes, Language object, Object[] objects) {
        short count = (short) 0;
        try {
            count = bytes[0];
        } catch (NullPointerException e) {
            count++;
        }
        try {
            count = (short) bytes.length;
        } catch (NullPointerException e) {
            count++;
        }
        try {
            count = object.counter;
        } catch (NullPointerException e) {
            count++;
        }
        try {
            object.mark((short) 1);
        } catch (NullPointerException e) {
            count++;
        }
        try {
            objects[0] = this;
        } catch (NullPointerException e) {
            count++;
        }
        same((short) 5, count);
    }

    private void casts(Object square, Object bytes, Object squares) {
        same((short) 0, ((Square) square).size());
        same((short) 0, ((Sized) square).size());
        same((short) 1, (short) ((byte[]) bytes).length);
        same((short) 1, (short) ((Object[]) squares).length);
        same((short) 1, (short) ((Sized[]) squares).length);
        Object nothing = null;
        check((Cube) nothing == null);
        short count = (short) 0;
        try {
            Cube cube = (Cube) square;
            cube.size();
        } catch (ClassCastException e) {
            count++;
        }
        try {
            short[] shorts = (short[]) bytes;
            shorts[0] = (short) 0;
        } catch (ClassCastException e) {
            count++;
        }
        try {
            Cube[] cubes = (Cube[]) squares;
            cubes[0] = null;
        } catch (ClassCastException e) {
            count++;
        }
        same((short) 3, count);
    }

    private void instances(Object cube, Object square, Object bytes, Object cubes) {
        check(cube instanceof Square && cube instanceof Cube && cube instanceof Shape);
        check(cube instanceof Sized && square instanceof Square);
        check(!(square instanceof Cube) && !(bytes instanceof short[]));
        check(bytes instanceof byte[] && !(bytes instanceof boolean[]));
        check(cubes instanceof Square[] && cubes instanceof Object[] && cubes instanceof Shape[]);
        check(!(cubes instanceof byte[]));
        Object nothing = null;
        check(!(nothing instanceof Object));
    }

    private short finals(short way) {
        short value = (short) 5;
        for (;;) {
            try {
                mark((short) 1);
                if (way == 0) {
                    return value;
                }
                if (way == 1) {
                    mark((short) 3);
                    value = (short) 6;
                    break;
                }
                value = (short) (value / (short) (way - 2));
            } catch (ArithmeticException e) {
                value = (short) 8;
                way = (short) 3;
            } finally {
                mark((short) 2);
                if (way == 3) {
                    mark((short) 4);
                    break;
                }
            }
        }
        return value;
    }

    private short caught(short way) {
        try {
            try {
                if (way == 0) {
                    throw new Trouble((short) 1);
                }
                if (way == 1) {
                    throw new ArithmeticException();
                }
                if (way == 2) {
                    throw new IndexOutOfBoundsException();
                }
                throw new NullPointerException();
            } catch (Trouble e) {
                return e.code;
            } catch (ArithmeticException e) {
                return (short) 2;
            } catch (ArrayIndexOutOfBoundsException e) {
                return (short) -1;
            } catch (IndexOutOfBoundsException e) {
                return (short) 3;
            }
        } catch (RuntimeException e) {
            return (short) 4;
        }
    }

    private static void dive(short depth) throws Trouble {
        if (depth == 0) {
            throw new Trouble((short) 44);
        }
        dive((short) (depth - 1));
    }

    private static short factorial(short n) {
        return n <= 1 ? (short) 1 : (short) (n * factorial((short) (n - 1)));
    }

    private void comparisons(short least, short most) {
        check(least < most && most > least && least <= least && most >= most);
        check(!(least > most) && !(most < least) && least != most);
        check(least < 0 && most > 0 && !(least >= 0) && !(most <= 0));
        boolean yes = least == least;
        check(yes & !false ^ false | false);
    }

    private static short far(short n) {
        short sum = (short) 0;
        short i = (short) 1;
        while (i <= n) {
            if (i > 0) {
                sum += i;
                sum ^= 0x55; sum ^= 0x55; sum ^= 0x155; sum ^= 0x155; sum ^= 0x255; sum ^= 0x255;
                sum ^= 0x355; sum ^= 0x355; sum ^= 0x455; sum ^= 0x455; sum ^= 0x555; sum ^= 0x555;
                sum ^= 0x655; sum ^= 0x655; sum ^= 0x755; sum ^= 0x755; sum ^= 0x855; sum ^= 0x855;
                sum ^= 0x955; sum ^= 0x955; sum ^= 0xA55; sum ^= 0xA55; sum ^= 0xB55; sum ^= 0xB55;
            }
            i++;
        }
        return sum;
    }
}
