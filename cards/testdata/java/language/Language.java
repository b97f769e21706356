package language;

/** One static method a construct of the language; `run` gives the number that case `n` comes to. */
public class Language {
    private short secret = 40;
    private static byte hidden = 3;
    short outer = 5;
    byte initialised;
    short[] made;

    {
        initialised = 9;
        made = new short[] {4, 5, 6};
    }

    Language() {
    }

    private Language(short secret) {
        this.secret = secret;
    }

    private short tell(byte by) {
        return (short) (secret + by);
    }

    class Inner {
        short outer = 7;

        short both() {
            return (short) (outer * 10 + Language.this.outer);
        }

        class Deeper {
            short all() {
                secret = (short) (secret + 1);
                return (short) (both() + secret + tell(hidden));
            }
        }
    }

    static class Nested {
        private short kept = 11;

        private Nested() {
        }

        short peek(Language other) {
            other.secret = (short) (other.secret + 2);
            hidden = (byte) (hidden + 1);
            return (short) (other.secret * 10 + hidden);
        }
    }

    interface Source {
        short LIMIT = 12;
        byte STEP = 3;

        short next();
    }

    interface Named {
        short name();
    }

    interface Both extends Source, Named {
        short extra(byte by);
    }

    abstract static class Partly implements Both {
        short at;

        short twice() {
            return (short) (next() + next());
        }

        public short name() {
            return 77;
        }
    }

    static class Whole extends Partly {
        public short next() {
            return at += STEP;
        }

        public short extra(byte by) {
            return (short) (by * LIMIT);
        }

        public short name() {
            return (short) (super.name() + 1);
        }
    }

    static class Box<T> {
        T value;

        T get() {
            return value;
        }

        void set(T value) {
            this.value = value;
        }
    }

    static class NestedBox extends Box<Nested> {
        Nested get() {
            return value == null ? new Nested() : value;
        }

        void set(Nested value) {
            this.value = value;
        }
    }

    static class Trouble extends Exception {
        short code;

        Trouble(short code) {
            this.code = code;
        }
    }

    static short anonymous(final short a, final byte b) {
        Source source = new Source() {
            short calls = 1;

            public short next() {
                return (short) (a * b + calls++);
            }
        };
        source.next();
        return source.next();
    }

    static short local(final short a) {
        class Adder {
            short add(short b) {
                return (short) (a + b);
            }
        }
        return new Adder().add((short) 30);
    }

    static short log;

    static short finallies(short n) {
        try {
            try {
                if (n == 1) {
                    return log = 1;
                }
                if (n == 2) {
                    throw new ArithmeticException();
                }
                log = (short) (1 / (short) (n - 3));
                return 2;
            } catch (NullPointerException | ArithmeticException e) {
                log += 10;
                return 3;
            } finally {
                log += 100;
            }
        } finally {
            log += 1000;
        }
    }

    static short overridden(short n) {
        label:
        for (short i = 0; ; i++) {
            for (byte j = 0; j < 10; j++) {
                try {
                    if ((short) (i * j) == n) {
                        return (short) (i * 100 + j);
                    }
                    if (j > i) {
                        continue label;
                    }
                    if (i > 20) {
                        break label;
                    }
                } finally {
                    n--;
                }
            }
        }
        return n;
    }

    static short thrown(short n) {
        try {
            if (n > 0) {
                throw new Trouble(n);
            }
            Object o = new Nested();
            return ((Language) o).outer;
        } catch (Trouble e) {
            return e.code;
        } catch (ClassCastException e) {
            return -5;
        }
    }

    static short switches(short n, byte b) {
        short r = 0;
        switch (n) {
            case -2:
            case -1:
                r = 1;
            case 0:
                r += 2;
                break;
            case 2:
                switch (b) {
                    case 100:
                        return 50;
                    default:
                        r = 60;
                    case -100:
                        r++;
                }
                break;
            default:
                r = 9;
        }
        return r;
    }

    static short compound(byte b, short s) {
        byte[] bytes = {b, (byte) (b + 1), 3};
        short i = 0;
        bytes[i++] += s;
        bytes[i++]--;
        ++bytes[i];
        b >>>= 1;
        s <<= 3;
        s |= b++ & 0x7F;
        b *= 3;
        s -= i-- - --i;
        return (short) (bytes[0] * 7 + bytes[1] * 5 + bytes[2] + b + s);
    }

    static short arrays(Object o) {
        if (o instanceof byte[]) {
            return (short) ((byte[]) o).length;
        }
        if (o instanceof Object[]) {
            Object[] many = (Object[]) o;
            many[0] = new short[] {1, 2, 3};
            return (short) (((short[]) many[0])[2] + (many instanceof Nested[] ? 100 : 0));
        }
        return o == null ? (short) -1 : (short) -2;
    }

    static short loops(short n) {
        short sum = 0;
        for (byte b : new byte[] {1, 2, 3, (byte) n}) {
            sum += b;
        }
        do {
            sum += n & 1;
            n >>= 1;
        } while (n > 0);
        for (short i = 0, j = 9; i < j; i++, j--) {
            sum += i * j;
        }
        return sum;
    }

    static boolean logic(boolean a, boolean b, short n) {
        return a && n > 3 || !b ^ n < 0 | (a & n != 5);
    }

    public static short run(short n) {
        Language one = new Language((short) 20);
        switch (n) {
            case 0: return one.new Inner().both();
            case 1: return one.new Inner().new Deeper().all();
            case 2: return new Nested().peek(new Language());
            case 3: return (short) (new Nested().kept + one.initialised + one.made[2]);
            case 4: return anonymous((short) 6, (byte) 7);
            case 5: return local((short) -9);
            case 6: return finallies((short) 1);
            case 7: return (short) (finallies((short) 2) + log);
            case 8: return (short) (finallies((short) 3) + log);
            case 9: return (short) (finallies((short) 4) + log);
            case 10: return overridden((short) 90);
            case 11: return thrown((short) 31);
            case 12: return thrown((short) 0);
            case 13: return (short) (switches((short) -2, (byte) 0) * 100 + switches((short) 2, (byte) 5));
            case 14: return (short) (switches((short) 2, (byte) -100) + switches((short) 7, (byte) 0));
            case 15: return compound((byte) -5, (short) 700);
            case 16: return (short) (arrays(new byte[4]) * 100 + arrays(new Object[2]) * 10 + arrays(null));
            case 17: return arrays(one);
            case 18: return loops((short) 1234);
            case 19: return (short) ((logic(true, true, (short) 4) ? 1 : 0) + (logic(false, true, (short) 2) ? 2 : 0));
            case 20: {
                Partly partly = new Whole();
                Both both = partly;
                Source source = both;
                Named named = both;
                return (short) (partly.twice() * 100 + source.next() + named.name() + both.extra((byte) 2));
            }
            case 21: {
                Box<Nested> box = new NestedBox();
                short first = box.get().kept;
                box.set(new Nested());
                box.get().kept = 4;
                return (short) (first * 10 + box.get().kept);
            }
            case 22: {
                Language none = null;
                try {
                    return none.new Inner().both();
                } catch (NullPointerException e) {
                    return 222;
                }
            }
            default: return (short) (n > 30 ? Source.LIMIT : Source.STEP);
        }
    }
}
