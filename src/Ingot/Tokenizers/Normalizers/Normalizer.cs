using System.Text;
using System.Text.Json;
using Ingot.Tokenizers.Files;
using Ingot.Tokenizers.Unicode;

namespace Ingot.Tokenizers.Normalizers;

/// <summary>Changes a text before it is cut into words: "normalizer" in tokenizer.json. Immutable.</summary>
internal abstract class Normalizer : IComponent
{
    /// <summary>All there are. A new one is a class and a line here.</summary>
    public static ComponentKinds<Normalizer> Kinds { get; } = new("normalizer", new()
    {
        ["NFC"] = _ => new UnicodeForm(NormalizationForm.FormC),
        ["NFD"] = _ => new UnicodeForm(NormalizationForm.FormD),
        ["NFKC"] = _ => new UnicodeForm(NormalizationForm.FormKC),
        ["NFKD"] = _ => new UnicodeForm(NormalizationForm.FormKD),
        ["Lowercase"] = _ => new Lowercase(),
        ["Strip"] = Strip.Read,
        ["StripAccents"] = _ => new StripAccents(),
        ["Replace"] = Replace.Read,
        ["Prepend"] = Prepend.Read,
        ["Nmt"] = _ => new Nmt(),
        ["BertNormalizer"] = BertNormalizer.Read,
        ["Precompiled"] = Precompiled.Read,
        ["Sequence"] = json => new NormalizerSequence(Kinds!.ReadAll(json, "normalizers")),
    });

    public abstract string Type { get; }

    /// <summary>Whether a text becomes what its chunks become, one after another: <see cref="SpacedChunks"/>.</summary>
    public virtual bool GoesByChunks => false;

    public abstract AlignedText Apply(AlignedText text);

    public virtual void WriteMembers(Utf8JsonWriter json)
    {
    }
}

/// <summary>One after the other.</summary>
internal sealed class NormalizerSequence(Normalizer[] normalizers) : Normalizer
{
    public override string Type => "Sequence";

    // BERT's may put spaces at the ends of a chunk, where what follows would see other spaces beside them.
    public override bool GoesByChunks => normalizers.All(normalizer => normalizer.GoesByChunks && normalizer is not BertNormalizer);

    public override AlignedText Apply(AlignedText text) =>
        normalizers.Aggregate(text, (current, normalizer) => current.Length == 0 ? current : normalizer.Apply(current));

    public override void WriteMembers(Utf8JsonWriter json) => json.WriteAll("normalizers", normalizers);
}

/// <summary>A Unicode normalization form.</summary>
internal sealed class UnicodeForm(NormalizationForm form) : Normalizer
{
    public override string Type => form switch
    {
        NormalizationForm.FormC => "NFC",
        NormalizationForm.FormD => "NFD",
        NormalizationForm.FormKC => "NFKC",
        _ => "NFKD",
    };

    public override bool GoesByChunks => true;

    public override AlignedText Apply(AlignedText text) =>
        text.CodePoints.ContainsAnyExceptInRange(0, 0x7F) ? text.With(UnicodeNormalization.Normalize(text.CodePoints, form)) : text;
}
