namespace Ingot.Lab.Cases;

/// <summary>The activation functions and their slopes, in double precision (Hendrycks and Gimpel, 2016, for GELU).</summary>
internal static class Activations
{
    public static IReadOnlyList<string> Names { get; } = ["gelu_tanh", "gelu", "silu", "relu", "tanh"];

    public static double Of(string kind, double x) => kind switch
    {
        "none" => x,
        // 0.5 (1 + tanh(u)) without cancellation where x is far below 0.
        "gelu_tanh" => x / (1 + Math.Exp(-2 * Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)))),
        "gelu" => 0.5 * x * Erfc(-x / Math.Sqrt(2)),
        "silu" => x / (1 + Math.Exp(-x)),
        "tanh" => Math.Tanh(x),
        _ => Math.Max(x, 0),
    };

    public static double SlopeOf(string kind, double x)
    {
        switch (kind)
        {
            case "none":
                return 1;
            case "gelu_tanh":
                var t = Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)));
                return (0.5 * (1 + t)) + (0.5 * x * (1 - (t * t)) * Math.Sqrt(2 / Math.PI) * (1 + (3 * 0.044715 * x * x)));
            case "gelu":
                return (0.5 * Erfc(-x / Math.Sqrt(2))) + (x * Math.Exp(-0.5 * x * x) / Math.Sqrt(2 * Math.PI));
            case "silu":
                var s = 1 / (1 + Math.Exp(-x));
                return s + (x * s * (1 - s));
            case "tanh":
                return 1 / (Math.Cosh(x) * Math.Cosh(x));
            default:
                return x > 0 ? 1 : 0;
        }
    }

    // 1 - erf(x): the Taylor series where it converges fast, the continued fraction beyond (Abramowitz and Stegun 7.1.6, 7.1.14).
    private static double Erfc(double x)
    {
        if (x < 0)
            return 2 - Erfc(-x);
        if (x < 2.5)
        {
            double term = x, sum = x;
            for (var n = 1; Math.Abs(term) > 1e-17 * sum; n++)
            {
                term *= 2 * x * x / ((2 * n) + 1);
                sum += term;
            }

            return 1 - (2 / Math.Sqrt(Math.PI) * Math.Exp(-x * x) * sum);
        }

        var fraction = 0.0;
        for (var k = 60; k > 0; k--)
            fraction = k / 2.0 / (x + fraction);
        return Math.Exp(-x * x) / Math.Sqrt(Math.PI) / (x + fraction);
    }
}
