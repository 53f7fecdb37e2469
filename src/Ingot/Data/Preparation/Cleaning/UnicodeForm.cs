using System.Text;

namespace Ingot.Data.Preparation.Cleaning;

/// <summary>Unicode's normalisation form NFC (UAX #15).</summary>
internal static class UnicodeForm
{
    /// <summary>Composes a text; counts 1 if that changed it.</summary>
    public static string Compose(string text, ref long count)
    {
        var composed = text.Normalize(NormalizationForm.FormC);
        count += composed == text ? 0 : 1;
        return composed;
    }
}
