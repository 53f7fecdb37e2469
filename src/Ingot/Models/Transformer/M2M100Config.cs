using System.Text.Json.Nodes;

namespace Ingot.Models.Transformer;

/// <summary>
/// M2M-100 (Fan et al. 2021): one encoder-decoder between many languages. Sub-layers normalise what they read (pre-norm), and both stacks
/// end with a norm. A source begins with the token of its language, a target with that of its own, which decoding forces. Defaults are
/// those of Hugging Face's M2M100Config.
/// </summary>
public sealed record M2M100Config : TransformerConfig
{
    /// <summary>The defaults of M2M100Config.</summary>
    public M2M100Config() => (VocabSize, ScaleEmbedding, DecoderStart, Padding) = (128112, true, 2, 1);

    /// <inheritdoc/>
    public override string ModelType => "m2m_100";

    /// <inheritdoc/>
    public override bool HasLanguages => true;

    internal override bool PreNorm => true;

    // Positions are counted from behind the id of the padding, as fairseq does; its own row of the table is 1.
    internal override int FirstPosition => (Padding ?? 1) + 1;

    internal override double Frequency(int pair) => Math.Exp(-pair * Math.Log(10000) / ((ModelWidth / 2) - 1));

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        Require(ModelWidth >= 4, $"d_model is {ModelWidth}, but must be 4 or more");
    }

    private protected override JsonObject Settings()
    {
        var json = base.Settings();
        json["architectures"] = new JsonArray("M2M100ForConditionalGeneration");
        return json;
    }

    internal static M2M100Config Read(ConfigKeys keys) => Read(keys, new M2M100Config());
}
