namespace Ingot.Data.Preparation;

/// <summary>Which part of the output a document belongs to.</summary>
internal static class Split
{
    public const string Train = "train", Validation = "validation", Test = "test";

    /// <summary>All parts, in the order in which they are named.</summary>
    public static readonly IReadOnlyList<string> Names = [Train, Validation, Test];

    /// <summary>
    /// The part of a document: the upper half of its hash as a fraction in [0, 1); the lowest fractions are tests, those above them
    /// validation. The same text is always in the same part, whatever else there is.
    /// </summary>
    public static string Of(UInt128 hash, double validation, double test)
    {
        var fraction = (ulong)(hash >> 64) / Math.Pow(2, 64);
        return fraction < test ? Test : fraction < test + validation ? Validation : Train;
    }
}
