namespace Ingot.Adapters;

/// <summary>
/// Settings of a low-rank adapter, under the names of Hugging Face's PEFT: LoRA (Hu et al. 2021), rsLoRA (Kalajdzievski 2023) and
/// DoRA (Liu et al. 2024). A layer y = x · Wᵀ becomes y = x · (W + s · B · A)ᵀ, where W stays as it is and A [r, inputs] and
/// B [outputs, r] are trained.
/// </summary>
public sealed record LoraConfig
{
    /// <summary>Stands for all linear layers but the head's last one among <see cref="TargetModules"/>.</summary>
    public const string AllLinear = "all-linear";

    /// <summary>r: rank of what is added to a weight.</summary>
    public int Rank { get; init; } = 8;

    /// <summary>lora_alpha: numerator of the scaling s.</summary>
    public double Alpha { get; init; } = 16;

    /// <summary>lora_dropout: dropout of what goes into A while training.</summary>
    public double Dropout { get; init; }

    /// <summary>use_rslora: s is alpha / √r in place of alpha / r.</summary>
    public bool UseRslora { get; init; }

    /// <summary>
    /// use_dora: each output's weights get a length m of their own, trained apart from their direction:
    /// y = m / ‖W + s · B · A‖ ⊙ x · (W + s · B · A)ᵀ, the norm taken over each output's inputs and constant in the gradient.
    /// </summary>
    public bool UseDora { get; init; }

    /// <summary>target_modules: layers that are adapted, by the end of their name ("c_attn", "attn.c_proj"), or "all-linear".</summary>
    public IReadOnlyList<string> TargetModules { get; init; } = [AllLinear];

    /// <summary>modules_to_save: modules that are trained as a whole and kept with the adapter, by the end of their name.</summary>
    public IReadOnlyList<string> ModulesToSave { get; init; } = [];

    /// <summary>s: what B · A is multiplied by.</summary>
    public double Scaling => Alpha / (UseRslora ? Math.Sqrt(Rank) : Rank);

    /// <summary>Whether a linear layer of that name is adapted; one that is trained as a whole is not.</summary>
    public bool IsTarget(string module) => TargetModules.Any(t => t == AllLinear || EndsWith(module, t)) && !IsSaved(module);

    /// <summary>Whether a module of that name is trained as a whole, or a part of one that is.</summary>
    public bool IsSaved(string module) => ModulesToSave.Any(t => IsPartOf(module, t));

    /// <summary>Throws if a setting cannot be used.</summary>
    /// <exception cref="ArgumentException">It names the setting.</exception>
    public void Validate()
    {
        if (Rank < 1)
            throw new ArgumentException($"r is {Rank}, but must be 1 or more");
        if (!(Alpha > 0) || !double.IsFinite(Alpha))
            throw new ArgumentException($"lora_alpha is {Alpha}, but must be above 0");
        if (Dropout is not (>= 0 and < 1))
            throw new ArgumentException($"lora_dropout is {Dropout}, but must be from 0 to below 1");
        if (TargetModules.Count == 0)
            throw new ArgumentException($"target_modules is empty: name layers, or take {AllLinear}");
    }

    /// <summary>Whether a module, or one that it is a part of, ends with a name.</summary>
    internal static bool IsPartOf(string module, string name) => $".{module}.".Contains($".{name}.", StringComparison.Ordinal);

    internal static bool EndsWith(string module, string name) =>
        module.EndsWith(name, StringComparison.Ordinal) && (module.Length == name.Length || module[^(name.Length + 1)] == '.');
}
