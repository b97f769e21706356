package conformance.integers;

import conformance.base.Suite;
import javacard.framework.APDU;
import javacard.framework.JCSystem;

/** The optional type int (JCVM 2.2.3.1). */
public final class Integers extends Suite {
    private static int kept;
    private int field;
    private int[] numbers;

    private Integers() {
        numbers = new int[4];
    }

    public static void install(byte[] array, short offset, byte length) {
        new Integers().register(array, (short) (offset + 1), array[offset]);
    }

    private void equal(int expected, int found) {
        same((short) (expected >> 16), (short) (found >> 16));
        same((short) expected, (short) found);
    }

    private static Pair pair(int a, int b) {
        return new Pair(a, b);
    }

    /** Two numbers. */
    private static final class Pair {
        final int first;
        final int second;

        Pair(int first, int second) {
            this.first = first;
            this.second = second;
        }
    }

    protected void run(short test, short phase, APDU apdu) {
        int a = phase;
        switch (test) {
            case 1: // JCVM 7.5 iadd, isub, imul: 32 bits, wrapping
                int most = 0x7FFFFFFF + a;
                equal(0x80000000, most + 1);
                equal(0x7FFFFFFF, (most + 1) - 1);
                equal(1000000000, (a + 40000) * 25000);
                equal(1, most * most);
                return;
            case 2: // JCVM 7.5 idiv, irem: towards zero, and the one overflow
                int n = a - 7000000;
                equal(-3500000, n / 2);
                equal(-1, (n - 1) % 2);
                int least = 0x80000000 + a;
                equal(0x80000000, least / (a - 1));
                equal(0, least % (a - 1));
                return;
            case 3: // JCVM 7.5 idiv, irem: by zero
                short count = (short) 0;
                try {
                    kept = 5 / a;
                } catch (ArithmeticException e) {
                    count++;
                }
                try {
                    kept = 5 % a;
                } catch (ArithmeticException e) {
                    count++;
                }
                same((short) 2, count);
                return;
            case 4: // JCVM 7.5 ishl, ishr, iushr: the low five bits of the distance
                int s = 0x80000001 + a;
                equal(2, s << 1);
                equal(0xC0000000, s >> 1);
                equal(0x40000000, s >>> 1);
                equal(s, s << (a + 32));
                equal(-1, s >> (a + 31));
                equal(1, s >>> (a + 31));
                return;
            case 5: // JCVM 7.5 iand, ior, ixor, ineg: all 32 bits
                int bits = 0x0FF00FF0 + a;
                equal(0x00F000F0, bits & 0x00FF00FF);
                equal(0x0FFF0FFF, bits | 0x000F000F);
                equal(0xF00FF00F, ~bits);
                equal(0xF00FF010, -bits);
                return;
            case 6: // JCVM 7.5 s2i, i2s, i2b: signs kept and bits cut
                short small = (short) (a - 5);
                equal(-5, small);
                int wide = 0x12348081 + a;
                same((short) 0x8081, (short) wide);
                same((short) -127, (byte) wide);
                return;
            case 7: // JCVM 7.5 icmp: over all of the range
                int low = 0x80000000 + a;
                int high = 0x7FFFFFFF - a;
                check(low < high && high > low && low <= low && high >= high);
                check(low != high && !(low == high) && low < 0 && high > 0);
                check(0x10000 + a > 0xFFFF + a);
                return;
            case 8: // JCVM 7.5 itableswitch, ilookupswitch: keys beyond a short
                same((short) 2, chosen(a + 70001));
                same((short) 3, chosen(a + 70002));
                same((short) 4, chosen(a - 2000000000));
                same((short) 0, chosen(a + 1));
                return;
            case 9: // JCVM 7.5 iinc, getfield_i, putfield_i, getstatic_i, putstatic_i: cells beyond a short
                field = 0x12345678;
                field += 8;
                equal(0x12345680, field);
                kept = field;
                kept++;
                equal(0x12345681, kept);
                int counter = 32767 + a;
                counter++;
                equal(32768, counter);
                return;
            case 10: // JCVM 7.5 newarray of int, iaload, iastore: elements beyond a short, and bounds
                numbers[1] = -100000;
                numbers[1] += 1;
                equal(-99999, numbers[1]);
                int[] fresh = new int[2];
                equal(0, fresh[1]);
                try {
                    numbers[(short) (a + 4)] = 1;
                    missed();
                } catch (ArrayIndexOutOfBoundsException e) {
                    check(true);
                }
                return;
            case 11: // JCVM 7.5 ireturn: arguments and results of two cells
                Pair both = pair(123456, -654321);
                equal(123456, both.first);
                equal(-654321, both.second);
                equal(3628800, factorial(10));
                return;
            case 12: // JCRE 7.6: abort takes back fields and elements of type int
                field = 70000;
                numbers[2] = 80000;
                JCSystem.beginTransaction();
                field = 70001;
                numbers[2]++;
                JCSystem.abortTransaction();
                equal(70000, field);
                equal(80000, numbers[2]);
                return;
            default:
                missed();
        }
    }

    private static int factorial(int n) {
        return n <= 1 ? 1 : n * factorial(n - 1);
    }

    private static short chosen(int n) {
        switch (n) {
            case 70000:
                return (short) 1;
            case 70001:
                return (short) 2;
            case 70002:
                return (short) 3;
            case -2000000000:
                return (short) 4;
            default:
                return (short) 0;
        }
    }
}
