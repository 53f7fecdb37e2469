using System.Text;

namespace Ingot.Chat.Templates;

/// <summary>Python's operators on numbers, strings and lists.</summary>
internal static class Arithmetic
{
    /// <summary>Does what an operator between two values says.</summary>
    /// <exception cref="TemplateException">It cannot be done with these values.</exception>
    public static object? Apply(RenderContext context, string operation, object? a, object? b)
    {
        try
        {
            if (Values.TryNumber(a, out object? first) && Values.TryNumber(b, out object? second))
            {
                return first is long x && second is long y
                    ? OfIntegers(context, operation, x, y)
                    : OfDoubles(context, operation, Values.ToDouble(first), Values.ToDouble(second));
            }
        }
        catch (OverflowException)
        {
            throw context.Error($"'{operation}' of {Values.Describe(a)} and {Values.Describe(b)} has more than 64 bits");
        }

        switch (operation, a, b)
        {
            case ("+", string x, string y):
                context.ChargeText((long)x.Length + y.Length);
                return x + y;
            case ("+", ListValue x, ListValue y) when x.IsTuple == y.IsTuple:
                context.ChargeText((long)x.Items.Count + y.Items.Count);
                return new ListValue([.. x.Items, .. y.Items], x.IsTuple);
            case ("*", string x, long or bool):
                return Repeat(context, x, b);
            case ("*", long or bool, string y):
                return Repeat(context, y, a);
            case ("*", ListValue x, long or bool):
                return Repeat(context, x, b);
            case ("*", long or bool, ListValue y):
                return Repeat(context, y, a);
            case ("%", string, _):
                throw context.Error("formatting a string with % is not supported: join its parts with ~");
            default:
                throw context.Error($"'{operation}' cannot be done with {Values.Describe(a)} and {Values.Describe(b)}");
        }
    }

    /// <summary>Python's <c>-value</c> or <c>+value</c>.</summary>
    /// <exception cref="TemplateException">The value is no number.</exception>
    public static object Sign(RenderContext context, string operation, object? value)
    {
        if (!Values.TryNumber(value, out object? number))
        {
            throw context.Error($"'{operation}' cannot be done with {Values.Describe(value)}");
        }

        return operation == "+" ? number! : number is long whole ? (object)unchecked(-whole) : -(double)number!;
    }

    private static object OfIntegers(RenderContext context, string operation, long a, long b)
    {
        switch (operation)
        {
            case "+":
                return checked(a + b);
            case "-":
                return checked(a - b);
            case "*":
                return checked(a * b);
            case "**" when b >= 0:
                return Power(a, b);
            case "**":
                return Math.Pow(a, b);
        }

        if (b == 0)
        {
            throw context.Error("division by zero");
        }

        if (b == -1)
        {
            return operation switch { "/" => (object)-(double)a, "//" => checked(-a), _ => 0L };
        }

        long remainder = a % b;
        bool rounded = remainder != 0 && (remainder < 0) != (b < 0); // Python rounds down, C# towards zero.
        return operation switch
        {
            "/" => (object)((double)a / b),
            "//" => (a / b) - (rounded ? 1 : 0),
            _ => rounded ? remainder + b : remainder,
        };
    }

    private static double OfDoubles(RenderContext context, string operation, double a, double b)
    {
        if (b == 0 && operation is "/" or "//" or "%")
        {
            throw context.Error("division by zero");
        }

        return operation switch
        {
            "+" => a + b,
            "-" => a - b,
            "*" => a * b,
            "**" => Math.Pow(a, b),
            "/" => a / b,
            "//" => Math.Floor(a / b),
            _ => a - (b * Math.Floor(a / b)),
        };
    }

    private static long Power(long a, long b)
    {
        long result = 1;
        while (b > 0)
        {
            if ((b & 1) != 0)
            {
                result = checked(result * a);
            }

            b >>= 1;
            if (b > 0)
            {
                a = checked(a * a);
            }
        }

        return result;
    }

    private static long Times(RenderContext context, long length, object? times)
    {
        Values.TryNumber(times, out object? number);
        long count = length == 0 ? 0 : Math.Max(0, (long)number!);
        context.ChargeText(count > RenderContext.MostOutput ? count : count * length);
        return count;
    }

    private static string Repeat(RenderContext context, string text, object? times) =>
        new StringBuilder().Insert(0, text, (int)Times(context, text.Length, times)).ToString();

    private static ListValue Repeat(RenderContext context, ListValue list, object? times) =>
        new([.. Enumerable.Repeat(list.Items, (int)Times(context, list.Items.Count, times)).SelectMany(items => items)], list.IsTuple);
}
